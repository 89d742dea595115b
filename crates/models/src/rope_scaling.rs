//! Scaling of positions that a user asks for instead of the model's own.

use std::fmt;
use std::str::FromStr;

use serde_json::{Value, json};

use crate::config::{Config, Error, invalid};
use crate::rope_parameters::rope_parameters;

/// How positions are scaled, whatever the configuration says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RopeScaling {
    /// YaRN (arXiv 2309.00071) to this many times the length that the model was trained for.
    Yarn {
        /// How many times, above 1.
        factor: f64,
    },
    /// A base that grows with the text: Hugging Face's `dynamic`, or Qwen1's dynamic NTK with LogN.
    Dynamic,
    /// None: the context ends where training did.
    None,
}

/// What is no [`RopeScaling`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{0}\" is no scaling of positions; yarn:FACTOR with a factor above 1 (such as yarn:4), dynamic and none are"
)]
pub struct NoRopeScaling(String);

impl FromStr for RopeScaling {
    type Err = NoRopeScaling;

    fn from_str(text: &str) -> Result<Self, NoRopeScaling> {
        let factor = |text: &str| text.parse::<f64>().ok().filter(|f| f.is_finite() && *f > 1.0);
        match (text, text.strip_prefix("yarn:").and_then(factor)) {
            ("dynamic", _) => Ok(Self::Dynamic),
            ("none", _) => Ok(Self::None),
            (_, Some(factor)) => Ok(Self::Yarn { factor }),
            _ => Err(NoRopeScaling(text.to_owned())),
        }
    }
}

impl fmt::Display for RopeScaling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Yarn { factor } => write!(f, "yarn:{factor}"),
            Self::Dynamic => f.write_str("dynamic"),
            Self::None => f.write_str("none"),
        }
    }
}

impl RopeScaling {
    /// The same configuration with its positions scaled this way.
    ///
    /// # Errors
    /// [`Error::Invalid`] for YaRN with Qwen1, whose positions know only dynamic NTK.
    pub fn apply(self, config: &Config) -> Result<Config, Error> {
        if config.is_qwen1() {
            let is_dynamic = match self {
                Self::Yarn { .. } => {
                    let hint = "Qwen (2023) extends its context by dynamic NTK only, the scaling \"dynamic\"";
                    return Err(invalid("model_type", &json!("qwen"), hint));
                }
                Self::Dynamic => true,
                Self::None => false,
            };
            return Ok(config
                .with("use_dynamic_ntk", json!(is_dynamic))
                .with("use_logn_attn", json!(is_dynamic)));
        }
        let old = rope_parameters(config)?.map(Value::Object);
        let old = old.as_ref();
        let scaling = match self {
            Self::Yarn { factor } => json!({
                "rope_type": "yarn",
                "factor": factor,
                "original_max_position_embeddings": trained_length(config, old),
            }),
            Self::Dynamic => json!({"rope_type": "dynamic", "factor": 1.0}),
            Self::None => Value::Null,
        };
        let theta = old.and_then(|old| old.get("rope_theta")).or_else(|| config.get("rope_theta"));
        Ok(config
            .with("rope_theta", theta.cloned().unwrap_or_default())
            .with("rope_parameters", Value::Null)
            .with("rope_scaling", scaling)
            .with("dual_chunk_attention_config", Value::Null))
    }
}

/// Tokens that a model was trained for: what its own scaling says, else its context. Qwen3's 40960 are 32768 for a text
/// and 8192 for a reply; its model cards scale from the former.
fn trained_length(config: &Config, scaling: Option<&Value>) -> Value {
    const NAME: &str = "original_max_position_embeddings";
    let chunks = config.get("dual_chunk_attention_config");
    let own = [scaling, chunks].into_iter().flatten().find_map(|table| table.get(NAME));
    match own.or_else(|| config.get("max_position_embeddings")) {
        Some(length) if length == 40_960 => json!(32_768),
        length => length.cloned().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn qwen3(extra: &Value) -> Config {
        let mut json = json!({
            "architectures": ["Qwen3ForCausalLM"], "hidden_size": 64, "num_hidden_layers": 1, "vocab_size": 9,
            "num_attention_heads": 2, "head_dim": 16, "intermediate_size": 32, "rms_norm_eps": 1e-6,
            "rope_theta": 1e6, "max_position_embeddings": 40_960, "tie_word_embeddings": true,
        });
        json.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        Config::new(json)
    }

    fn plan(config: &Config, scaling: &str) -> crate::Plan {
        crate::plan(&scaling.parse::<RopeScaling>().unwrap().apply(config).unwrap()).unwrap()
    }

    #[test]
    fn yarn_starts_from_the_trained_length() {
        let plan = plan(&qwen3(&json!({})), "yarn:4");
        let extension = plan.rope.extension.unwrap();
        assert_eq!((extension.trained_length, extension.context_length), (32_768, Some(131_072)));
        assert_eq!(extension.method, "YaRN, factor 4");
        assert_eq!(plan.dims.context_length, 131_072);
    }

    #[test]
    fn one_scaling_replaces_another() {
        let config = qwen3(&json!({
            "rope_parameters": {"rope_type": "yarn", "factor": 4.0, "rope_theta": 5e5,
                "original_max_position_embeddings": 1000},
        }));
        let rope = |scaling: &str| plan(&config, scaling).rope;
        assert_eq!(rope("none"), crate::Rope::plain(5e5, 16));
        assert_eq!(rope("yarn:2").extension.unwrap().context_length, Some(2000));
        assert!(rope("dynamic").extension.unwrap().method.contains("dynamic"));
    }

    #[test]
    fn chunks_are_dropped() {
        let config = qwen3(&json!({"dual_chunk_attention_config": {"chunk_size": 50, "local_size": 10}}));
        assert_eq!(plan(&config, "none").rope.chunks, None);
    }

    #[test]
    fn qwen1_knows_its_own_way_only() {
        let config = Config::new(json!({
            "model_type": "qwen", "hidden_size": 64, "num_hidden_layers": 1, "vocab_size": 9, "seq_length": 100,
            "num_attention_heads": 2, "intermediate_size": 64, "layer_norm_epsilon": 1e-6,
        }));
        let rope = plan(&config, "dynamic").rope;
        assert_eq!((rope.log_n, rope.extension.unwrap().trained_length), (Some(100), 100));
        assert_eq!(plan(&config, "none").rope.extension, None);
        let error = RopeScaling::Yarn { factor: 2.0 }.apply(&config).unwrap_err().to_string();
        assert!(error.contains("dynamic NTK only"), "{error}");
    }

    #[test]
    fn text_is_read_and_written() {
        for text in ["yarn:4", "yarn:2.5", "dynamic", "none"] {
            assert_eq!(text.parse::<RopeScaling>().unwrap().to_string(), text);
        }
        for bad in ["yarn", "yarn:", "yarn:1", "yarn:-2", "yarn:inf", "linear", ""] {
            let error = bad.parse::<RopeScaling>().unwrap_err().to_string();
            assert!(error.contains("yarn:4"), "{error}");
        }
    }
}
