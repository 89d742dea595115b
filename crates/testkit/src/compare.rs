//! How far a result is from what it should be.

use std::fmt;

/// Differences between two vectors, absolute and relative to a scale for each element.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Report {
    /// Largest absolute difference.
    pub max_abs: f64,
    /// Root mean square of the differences.
    pub rms: f64,
    /// Largest difference relative to the scale.
    pub worst: f64,
    /// Element where that is.
    pub index: usize,
    /// What was found there.
    pub found: f64,
    /// What should be there.
    pub wanted: f64,
}

impl Report {
    /// Compares with `wanted`, weighing element `i` by `1 / scale(i)`. Anything that is no number is infinitely wrong.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn new(found: &[f32], wanted: &[f64], scale: impl Fn(usize) -> f64) -> Self {
        assert_eq!(found.len(), wanted.len(), "lengths differ");
        let mut report = Self { max_abs: 0.0, rms: 0.0, worst: 0.0, index: 0, found: 0.0, wanted: 0.0 };
        let mut squares = 0.0;
        for (index, (&found, &wanted)) in found.iter().zip(wanted).enumerate() {
            let found = f64::from(found);
            let difference = match (found - wanted).abs() {
                difference if difference.is_finite() => difference,
                _ => f64::INFINITY,
            };
            let relative = if difference == 0.0 { 0.0 } else { difference / scale(index) };
            report.max_abs = report.max_abs.max(difference);
            squares += difference * difference;
            if relative > report.worst || (index == 0 && relative == 0.0) {
                report = Self { worst: relative, index, found, wanted, ..report };
            }
        }
        report.rms = (squares / wanted.len().max(1) as f64).sqrt();
        report
    }

    /// Fails unless every element is within `tolerance` of its scale; returns the worst for those who keep a record.
    ///
    /// # Panics
    /// If one is not.
    #[track_caller]
    pub fn expect(&self, what: &str, tolerance: f64) -> f64 {
        assert!(self.worst <= tolerance, "{what}: {self}; allowed is {tolerance:.1e} of the scale");
        self.worst
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "worst at element {}: {} instead of {} ({:.2e} of the scale); max abs {:.2e}, rms {:.2e}",
            self.index, self.found, self.wanted, self.worst, self.max_abs, self.rms
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_element_is_named_and_nan_is_never_right() {
        let report = Report::new(&[1.0, 2.5, 3.0], &[1.0, 2.0, 4.0], |i| [1.0, 0.1, 1.0][i]);
        assert_eq!((report.index, report.max_abs, report.worst), (1, 1.0, 5.0));
        assert!((report.rms - (1.25f64 / 3.0).sqrt()).abs() < 1e-12);
        let report = Report::new(&[0.0, f32::NAN], &[0.0, 0.0], |_| 1.0);
        assert_eq!((report.index, report.worst), (1, f64::INFINITY));
        assert_eq!(Report::new(&[1.0], &[1.0], |_| 0.0).worst, 0.0);
    }
}
