//! What checks of projections have in common.

use qwill_kernels::{Scaling, StepShape};

use crate::{Rig, Rng};

/// How far off a sum may be, relative to what f32 rounding scales with.
pub(super) const TOLERANCE: f64 = 2e-6;
/// Eps of norms.
pub(super) const EPS: f32 = 1e-6;
/// Fills what a kernel must leave alone.
pub(super) const UNTOUCHED: f32 = -7.5;

/// A step of prefill from position 0.
pub(super) fn step_of(n_tokens: usize) -> StepShape {
    StepShape::of_one(n_tokens as u32, n_tokens as u32, 1, 16)
}

/// Magnitudes of numbers.
pub(super) fn abs(values: &[f32]) -> Vec<f32> {
    values.iter().map(|value| value.abs()).collect()
}

/// The first `width` numbers of rows of `stride`.
pub(super) fn cut_rows<T: Copy>(rows: &[T], width: usize, stride: usize) -> Vec<T> {
    rows.chunks_exact(stride).flat_map(|row| &row[..width]).copied().collect()
}

/// How far `silu(gate) * up` moves when the sums move by their magnitudes; gate and up rows in turns of 16.
pub(super) fn silu_mul_scale(sums: &[f64], magnitudes: &[f64]) -> Vec<f64> {
    (0..sums.len() / 2)
        .map(|i| {
            let (gate, up) = (i / 16 * 32 + i % 16, i / 16 * 32 + i % 16 + 16);
            // 1.1 bounds the slope of silu
            1.1 * magnitudes[gate] * sums[up].abs() + sums[gate].abs() * magnitudes[up]
        })
        .collect()
}

/// Factors of what is stored.
#[derive(Debug, Clone)]
pub(super) struct Factors {
    /// Of outputs.
    pub(super) outputs: Vec<f32>,
    /// Of rows.
    pub(super) rows: Vec<f32>,
}

impl Factors {
    /// Random ones; the second of every three rows has 0.
    pub(super) fn random(rng: &mut Rng, n_outputs: usize, n_rows: usize) -> Self {
        let mut rows = rng.floats(n_rows, 2.0);
        rows.iter_mut().skip(1).step_by(3).for_each(|factor| *factor = 0.0);
        Self { outputs: rng.floats(n_outputs, 2.0), rows }
    }

    pub(super) fn upload(&self, rig: &Rig) -> Scaling {
        Scaling {
            outputs: rig.upload("factors of outputs", &self.outputs),
            rows: rig.upload("factors of rows", &self.rows),
        }
    }

    /// Their magnitudes.
    pub(super) fn abs(&self) -> Self {
        Self { outputs: abs(&self.outputs), rows: abs(&self.rows) }
    }
}
