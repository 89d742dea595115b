//! Low-rank adapters (LoRA, arXiv 2106.09685): small changes to a model's matrices, chosen request by request.

mod registry;

use qwill_engine::LoraFile;
use qwill_weights::Checkpoint;
use serde::{Deserialize, Serialize};

pub(crate) use self::registry::Adapters;
use crate::files::base_name;
use crate::{Error, ModelFiles};

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

/// Opens an adapter's files.
pub(crate) async fn open(files: &ModelFiles) -> Result<LoraFile, Error> {
    files.check_whole().await?;
    let no_adapter = |reason: &str| {
        Error::Files(format!(
            "\"{}\" is no adapter: {reason}. An adapter is adapter_config.json and adapter_model.safetensors, or one \
             .gguf file; found: {}",
            files.name(),
            files.listing()
        ))
    };
    let gguf = files.with_extension(".gguf");
    if !gguf.is_empty() {
        let checkpoint = Checkpoint::open_gguf(gguf).await?;
        let metadata = checkpoint.metadata();
        let kind = (metadata.get_str("general.type")?, metadata.get_str("adapter.type")?);
        if kind != (Some("adapter"), Some("lora")) {
            return Err(no_adapter(
                "the GGUF file has no general.type \"adapter\" with adapter.type \"lora\"",
            ));
        }
        return Ok(LoraFile::from_gguf(checkpoint)?);
    }
    let json = files.read("adapter_config.json").await?;
    let json = json.ok_or_else(|| no_adapter("there is no adapter_config.json"))?;
    let mut shards = files.with_extension(".safetensors");
    shards.retain(|file| base_name(file.name()).starts_with("adapter_model"));
    if shards.is_empty() {
        return Err(no_adapter("there is no adapter_model.safetensors"));
    }
    Ok(LoraFile::from_peft(Checkpoint::open_safetensors(shards, None).await?, &json)?)
}
