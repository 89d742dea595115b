//! Low-rank adapters (LoRA, arXiv 2106.09685): small changes to a model's matrices, chosen request by request.

mod config;
mod factors;

use serde::{Deserialize, Serialize};

pub(crate) use self::factors::{Factors, LoraFile};

/// An adapter that a request uses.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdapterUse {
    /// The name that it was loaded under.
    pub name: String,
    /// Its change is multiplied by this, besides the adapter's own scale; 0 is the same as leaving it out.
    #[serde(default = "full_scale")]
    pub scale: f32,
}

fn full_scale() -> f32 {
    1.0
}

impl AdapterUse {
    /// An adapter at its own scale.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), scale: full_scale() }
    }
}

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
