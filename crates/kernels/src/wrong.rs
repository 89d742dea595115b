//! Kernels that are wrong on a device.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::shapes::{GemmShape, GemvShape, RowShape};

/// A candidate of a choice in a [`Tuning`](crate::Tuning).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Choice {
    /// Of [`Tuning::gemv`](crate::Tuning::gemv).
    Gemv(GemvShape),
    /// Of [`Tuning::gemm`](crate::Tuning::gemm).
    Gemm(GemmShape),
    /// Of [`Tuning::experts_tile_m`](crate::Tuning::experts_tile_m).
    ExpertsTile(u32),
    /// Of [`Tuning::rows`](crate::Tuning::rows).
    Rows(RowShape),
}

/// A kernel that does not compute what it should on a device.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WrongKernel {
    /// Its name with the permutation.
    pub kernel: String,
    /// What must not be chosen, where there is something else to choose.
    pub choice: Option<Choice>,
    /// How it is wrong.
    pub reason: String,
}

impl fmt::Display for WrongKernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kernel, self.reason)
    }
}
