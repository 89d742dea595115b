//! What several runs of a measurement tell.

use serde::Serialize;

/// Median, least and most of some runs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    /// Median.
    pub median: f64,
    /// Least.
    pub min: f64,
    /// Most.
    pub max: f64,
}

impl Spread {
    pub(crate) fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        Self {
            median: values.get(values.len() / 2).copied().unwrap_or(0.0),
            min: values.first().copied().unwrap_or(0.0),
            max: values.last().copied().unwrap_or(0.0),
        }
    }
}

/// How long most wait, and how long the unlucky.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Percentiles {
    /// Half of the values are at most this.
    pub median: f64,
    /// 95 of 100 values are at most this.
    pub p95: f64,
}

impl Percentiles {
    /// By nearest rank; zeros of no values.
    pub(crate) fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let at = |percent: usize| {
            let rank = (values.len() * percent).div_ceil(100).max(1);
            values.get(rank - 1).copied().unwrap_or(0.0)
        };
        Self { median: at(50), p95: at(95) }
    }
}

/// The value in the middle; 0 without any.
pub(crate) fn median(values: impl Iterator<Item = f64>) -> f64 {
    Spread::of(values.collect()).median
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_occurred() {
        let Percentiles { median, p95 } = Percentiles::of((1..=100).rev().map(f64::from).collect());
        assert_eq!((median, p95), (50.0, 95.0));
        let Percentiles { median, p95 } = Percentiles::of(vec![3.0, 1.0, 2.0]);
        assert_eq!((median, p95), (2.0, 3.0));
        assert_eq!(Percentiles::of(vec![]).p95, 0.0);
    }
}
