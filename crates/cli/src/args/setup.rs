//! Arguments of whatever loads a model.

use std::convert::Infallible;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, ValueEnum};
use qwill::{KvType, RopeScaling, Tuning, WeightFormat};

/// Cache formats.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum KvArg {
    F32,
    F16,
    Q8,
}

impl From<KvArg> for KvType {
    fn from(kv: KvArg) -> Self {
        match kv {
            KvArg::F32 => Self::F32,
            KvArg::F16 => Self::F16,
            KvArg::Q8 => Self::Q8,
        }
    }
}

/// Which model, and how it is set up.
#[derive(Debug, Args)]
pub(crate) struct ModelArgs {
    /// A GGUF file, a Hugging Face directory, a hub id (OWNER/NAME[:TAG][@REVISION]) or address, or "demo", which ships with qwill
    #[arg(short, long, default_value = "demo")]
    pub(crate) model: String,
    #[command(flatten)]
    pub(crate) setup: SetupArgs,
}

#[derive(Debug, Args)]
pub(crate) struct SetupArgs {
    /// Tokens of prompt and reply together [default: the model's, at most 8192]
    #[arg(long, value_name = "N")]
    pub(crate) context: Option<usize>,
    /// Texts that run at a time; others wait [default: 8; bench: as many as --parallel names]
    #[arg(long, value_name = "N")]
    pub(crate) max_sequences: Option<usize>,
    /// Tokens of all texts together that the cache holds [default: those of one context; bench: of all texts at once; eval: of
    /// 8 cases, at most 8192]
    #[arg(long, value_name = "N")]
    pub(crate) cache_tokens: Option<usize>,
    /// Number format of the key/value cache [default: f16; eval: f32]
    #[arg(long, value_name = "TYPE")]
    pub(crate) kv_type: Option<KvArg>,
    /// Convert float weights to this format while they are loaded: q8_0, q4_k, q4_0, … (see qwill quantize --help)
    #[arg(long, value_name = "FORMAT")]
    pub(crate) quantize: Option<WeightFormat>,
    /// Scale positions for a longer context: yarn:FACTOR, dynamic or none [default: as the model says]
    #[arg(long, value_name = "SCALING")]
    pub(crate) rope_scaling: Option<RopeScaling>,
    /// Hide capabilities of the GPU: no-f16,no-subgroups,no-dot4,no-timestamps,no-software,max-binding=SIZE
    #[arg(long, value_name = "MASK", env = "QWILL_CAPS", default_value = "", hide_default_value = true)]
    pub(crate) caps: String,
    /// Use the GPU whose name contains this (see qwill devices)
    #[arg(long, value_name = "NAME", env = "QWILL_GPU")]
    pub(crate) gpu: Option<String>,
    /// Shape kernels as this JSON file says, which a measurement on the GPU wrote [default: by the GPU's facts]
    #[arg(long, value_name = "FILE", value_parser = read_tuning)]
    pub(crate) tuning: Option<Tuning>,
    /// Do not try kernels on the GPU before the model uses them
    #[arg(long)]
    pub(crate) no_self_test: bool,
    /// Add a low-rank adapter: a directory with adapter_config.json, or a GGUF file; its change times SCALE (may be given
    /// several times)
    #[arg(long, value_name = "DIR[:SCALE]")]
    pub(crate) lora: Vec<LoraArg>,
}

fn read_tuning(path: &str) -> Result<Tuning, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("it cannot be read: {error}"))?;
    serde_json::from_str(&text).map_err(|error| format!("it holds no tuning: {error}"))
}

/// A low-rank adapter and how much of it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LoraArg {
    pub(crate) path: PathBuf,
    pub(crate) scale: f32,
}

impl FromStr for LoraArg {
    type Err = Infallible;

    /// What follows the last colon is a scale if it is a number; paths may have colons too.
    fn from_str(text: &str) -> Result<Self, Infallible> {
        let scaled = text.rsplit_once(':').and_then(|(path, scale)| Some((path, scale.parse().ok()?)));
        let (path, scale) = scaled.unwrap_or((text, 1.0));
        Ok(Self { path: path.into(), scale })
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn adapters_have_a_scale_behind_the_last_colon() {
        for (text, path, scale) in [
            ("style", "style", 1.0),
            ("a/style:0.5", "a/style", 0.5),
            ("style:-1", "style", -1.0),
            (r"C:\style", r"C:\style", 1.0),
            ("a:b:2", "a:b", 2.0),
        ] {
            assert_eq!(text.parse(), Ok(super::LoraArg { path: path.into(), scale }));
        }
    }
}
