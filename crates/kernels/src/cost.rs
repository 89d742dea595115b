//! What launches cost, as the shape of a step tells.

use std::iter::Sum;
use std::ops::{Add, Mul};

use crate::{DeviceMatrix, EpilogueKind};

/// Work of a launch. Every operand counts once, however often tiles and caches make the kernel read it, and what is padding
/// in activations does not count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cost {
    /// Bytes read and written: weights, activations, keys and values.
    pub bytes: u64,
    /// Additions and multiplications of floats; those that decode weights are left out.
    pub flops: u64,
}

impl Cost {
    /// Bytes and nothing else.
    pub(crate) fn bytes(bytes: usize) -> Self {
        Self { bytes: bytes as u64, flops: 0 }
    }

    /// `n` numbers in f32 that are read or written, with `flops` operations.
    pub(crate) fn floats(n: usize, flops: usize) -> Self {
        Self { bytes: 4 * n as u64, flops: flops as u64 }
    }
}

impl Add for Cost {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { bytes: self.bytes + other.bytes, flops: self.flops + other.flops }
    }
}

impl Sum for Cost {
    fn sum<I: Iterator<Item = Self>>(costs: I) -> Self {
        costs.fold(Self::default(), Add::add)
    }
}

impl Mul<u32> for Cost {
    type Output = Self;

    fn mul(self, n: u32) -> Self {
        Self { bytes: self.bytes * u64::from(n), flops: self.flops * u64::from(n) }
    }
}

/// Cost of the products of a matrix with vectors.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ProductCost {
    /// Of the weights.
    pub(crate) weights: Cost,
    /// Of each vector.
    pub(crate) vector: Cost,
}

impl ProductCost {
    /// For `n_rows` rows of a matrix.
    pub(crate) fn new(matrix: &DeviceMatrix, n_rows: usize, epilogue: EpilogueKind) -> Self {
        let outputs = epilogue.outputs(n_rows);
        let moved = if epilogue.reads_output() { 2 * outputs } else { outputs };
        Self {
            weights: Cost { bytes: matrix.row_bytes(n_rows), flops: 0 },
            vector: Cost::floats(matrix.k + moved, 2 * n_rows * matrix.k),
        }
    }

    /// With so many vectors.
    pub(crate) fn of(self, n_vectors: u32) -> Cost {
        self.weights + self.vector * n_vectors
    }
}
