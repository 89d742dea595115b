//! Where values lie along an axis, and which of them are marked.

/// An axis from one place of the picture to another.
pub(super) struct Axis {
    scale: Scale,
    from: f64,
    to: f64,
}

/// The values at the ends.
enum Scale {
    /// From 0.
    Linear { most: f64, step: f64 },
    /// The logarithms of both, to base 10.
    Log { least: f64, most: f64 },
}

impl Axis {
    /// From 0 to a little more than the largest value.
    pub(super) fn linear(values: impl Iterator<Item = f64>, from: f64, to: f64) -> Self {
        let largest = values.fold(0.0, f64::max);
        let step = round_step(if largest > 0.0 { largest / 5.0 } else { 0.2 });
        let most = step * (largest * 1.02 / step).ceil().max(1.0);
        Self { scale: Scale::Linear { most, step }, from, to }
    }

    /// Logarithmic, from half of the smallest value to twice the largest; values are above 0.
    pub(super) fn logarithmic(values: impl Iterator<Item = f64>, from: f64, to: f64) -> Self {
        let ends = values.map(f64::log10).fold(None, |ends, value| {
            let (least, most) = ends.unwrap_or((value, value));
            Some((value.min(least), value.max(most)))
        });
        let (least, most) = ends.unwrap_or((0.0, 1.0));
        Self { scale: Scale::Log { least: least - 2f64.log10(), most: most + 2f64.log10() }, from, to }
    }

    /// Where a value lies.
    pub(super) fn place(&self, value: f64) -> f64 {
        let along = match self.scale {
            Scale::Linear { most, .. } => value / most,
            Scale::Log { least, most } => (value.log10() - least) / (most - least),
        };
        self.from + (self.to - self.from) * along
    }

    /// The values to mark.
    pub(super) fn ticks(&self) -> Vec<f64> {
        match self.scale {
            Scale::Linear { most, step } => {
                (0..=(most / step).round() as u32).map(|n| f64::from(n) * step).collect()
            }
            Scale::Log { least, most } => {
                let digits: &[f64] = if most - least > 2.2 { &[1.0] } else { &[1.0, 2.0, 5.0] };
                (least.floor() as i32..=most.floor() as i32)
                    .flat_map(|power| digits.iter().map(move |digit| digit * 10f64.powi(power)))
                    .filter(|value| (least..=most).contains(&value.log10()))
                    .collect()
            }
        }
    }
}

/// The least of 1, 2 and 5 times a power of ten that is not below a value.
fn round_step(value: f64) -> f64 {
    let power = 10f64.powf(value.log10().floor());
    [1.0, 2.0, 5.0].map(|digit| digit * power).into_iter().find(|step| *step >= value).unwrap_or(10.0 * power)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rounded(values: Vec<f64>) -> Vec<f64> {
        values.into_iter().map(|value| (value * 1e6).round() / 1e6).collect()
    }

    #[test]
    fn shares_are_marked_from_zero_to_above_the_largest() {
        let axis = Axis::linear([0.1, 0.42].into_iter(), 100.0, 0.0);
        assert_eq!(rounded(axis.ticks()), [0.0, 0.1, 0.2, 0.3, 0.4, 0.5]);
        assert_eq!(axis.place(0.0), 100.0);
        assert!((axis.place(0.5)).abs() < 1e-9);
    }

    #[test]
    fn sizes_are_marked_at_round_numbers_and_nothing_lies_on_the_edge() {
        let axis = Axis::logarithmic([2e6, 4e9].into_iter(), 0.0, 100.0);
        assert_eq!(rounded(axis.ticks()), [1e6, 1e7, 1e8, 1e9]);
        assert!(axis.place(2e6) > 1.0 && axis.place(4e9) < 99.0);
        let one = Axis::logarithmic([3.0].into_iter(), 0.0, 100.0);
        assert_eq!(rounded(one.ticks()), [2.0, 5.0]);
        assert!((one.place(3.0) - 50.0).abs() < 1e-9);
    }

    #[test]
    fn nothing_to_show_is_no_reason_to_fail() {
        let none = || std::iter::empty::<f64>();
        for axis in [Axis::linear(none(), 0.0, 1.0), Axis::logarithmic(none(), 0.0, 1.0)] {
            assert!(axis.ticks().iter().all(|tick| axis.place(*tick).is_finite()));
        }
    }
}
