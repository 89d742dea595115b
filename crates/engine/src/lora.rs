//! Low-rank adapters (LoRA, arXiv 2106.09685): what their files add to a model's matrices.

mod config;
mod factors;

use serde::Serialize;

pub(crate) use self::factors::Factors;
pub use self::factors::LoraFile;

/// A loaded adapter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AdapterInfo {
    /// The name that requests use.
    pub name: String,
    /// Its weights.
    pub n_params: u64,
    /// Bytes of its matrices on the device.
    pub device_bytes: u64,
}
