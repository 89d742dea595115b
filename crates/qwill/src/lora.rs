//! Low-rank adapters (LoRA, arXiv 2106.09685): small changes to a model's matrices, chosen request by request.

mod config;
mod factors;

use serde::{Deserialize, Serialize};

pub(crate) use self::factors::{Factors, LoraFile, rows_on_device};
use crate::{Error, Model, ModelFiles};

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

impl Model {
    /// Loads a low-rank adapter beside the model, under a name that requests use: PEFT's `adapter_config.json` and
    /// `adapter_model.safetensors`, or a GGUF file. The model's own weights stay as they are, quantised or not; requests
    /// that name no adapter are as fast as before.
    ///
    /// Every linear layer can be changed, those of experts and the output matrix among them, and the embedding. Errors
    /// name what is not supported ([`Error::Adapter`]), and tensors that do not fit the model ([`Error::Shape`]).
    pub async fn load_adapter(&mut self, files: ModelFiles, name: &str) -> Result<AdapterInfo, Error> {
        let file = LoraFile::open(&files).await?;
        self.engine.load_adapter(&file, name).await
    }

    /// Frees an adapter. Requests that name it fail from now on, and it is no longer selected.
    pub fn unload_adapter(&mut self, name: &str) -> Result<(), Error> {
        self.engine.unload_adapter(name)
    }

    /// The loaded adapters, in order.
    pub fn adapters(&self) -> Vec<AdapterInfo> {
        self.engine.adapters()
    }

    /// What everything uses that does not name its adapters: nothing, unless this is called.
    pub fn select_adapters(&mut self, uses: &[AdapterUse]) -> Result<(), Error> {
        self.engine.select_adapters(uses)
    }
}
