//! Mixtures of experts beside dense models.

use super::Stamp;
use serde::Deserialize;

/// Pairs of models with about as many active weights, measured in turn on one device.
#[derive(Debug, Deserialize)]
pub(crate) struct Mixtures {
    #[serde(flatten)]
    pub(crate) stamp: Stamp,
    pub(crate) device: String,
    pub(crate) command: String,
    pub(crate) pairs: Vec<Pair>,
}

/// A mixture and the dense model beside it.
#[derive(Debug, Deserialize)]
pub(crate) struct Pair {
    pub(crate) moe: String,
    pub(crate) dense: String,
    /// How many times as long a prompt takes, one a turn.
    pub(crate) slower_by_at_equal_active_params: Vec<f64>,
    pub(crate) weight_bytes_per_token: Beside,
    pub(crate) before_serial_gemm: Before,
}

/// One figure of each of a pair.
#[derive(Debug, Deserialize)]
pub(crate) struct Beside {
    pub(crate) moe: u64,
    pub(crate) dense: u64,
}

/// The same with the GEMM of GPUs.
#[derive(Debug, Deserialize)]
pub(crate) struct Before {
    pub(crate) commit: String,
    pub(crate) slower_by_at_equal_active_params: Vec<f64>,
}
