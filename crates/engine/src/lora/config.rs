//! `adapter_config.json` of PEFT: what scales a module's change, and everything that is not supported.

use fancy_regex::Regex;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::Error;

/// What follows from a rank.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    /// `alpha / r` (arXiv 2106.09685).
    Plain,
    /// `alpha / sqrt(r)` (arXiv 2312.03732).
    RankStabilised,
}

/// Values for the modules whose names match, the first match counts.
#[derive(Debug)]
struct Pattern<T> {
    values: Vec<(Regex, T)>,
}

impl<T: Copy> Pattern<T> {
    /// The value for a module; a key may be the end of its name, whole parts of it.
    fn value_of(&self, module: &str) -> Option<T> {
        self.values.iter().find(|(key, _)| key.is_match(module).unwrap_or(false)).map(|(_, value)| *value)
    }
}

/// Ranks and scales of an adapter's modules.
#[derive(Debug)]
pub(crate) struct LoraConfig {
    rank: usize,
    alpha: f64,
    rule: Rule,
    ranks: Pattern<usize>,
    alphas: Pattern<f64>,
}

#[derive(Deserialize)]
struct Raw {
    #[serde(default)]
    peft_type: Option<String>,
    r: Option<usize>,
    lora_alpha: Option<f64>,
    #[serde(default)]
    use_rslora: Option<bool>,
    #[serde(default)]
    rank_pattern: Option<Map<String, Value>>,
    #[serde(default)]
    alpha_pattern: Option<Map<String, Value>>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// Keys that change what an adapter computes in ways that are not supported, and what can be done about each.
const REFUSED: [(&str, &str); 9] = [
    ("use_dora", MERGE),
    ("lora_bias", MERGE),
    (
        "modules_to_save",
        "whole modules cannot be replaced at run time; merge the adapter into its base model",
    ),
    ("trainable_token_indices", MERGE),
    ("target_parameters", MERGE),
    ("layer_replication", MERGE),
    ("alora_invocation_tokens", "adapters that are switched on inside a prompt are not supported"),
    ("use_qalora", MERGE),
    ("fan_in_fan_out", "no Qwen model stores its matrices transposed; train with false"),
];

const MERGE: &str = "merge the adapter into its base model (PEFT's merge_and_unload) and load that";

/// Whether a key says anything: absent, null, false and empty say nothing.
fn is_set(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::Array(list) => !list.is_empty(),
        Value::Object(map) => !map.is_empty(),
        _ => true,
    }
}

fn wrong(reason: impl std::fmt::Display) -> Error {
    Error::Adapter(format!("adapter_config.json: {reason}"))
}

impl LoraConfig {
    /// Reads `adapter_config.json`.
    pub(crate) fn from_json(json: &[u8]) -> Result<Self, Error> {
        let raw: Raw = serde_json::from_slice(json).map_err(wrong)?;
        match raw.peft_type.as_deref() {
            Some("LORA") => {}
            None => return Err(wrong("it has no \"peft_type\"; \"LORA\" is needed")),
            Some(other) => {
                return Err(wrong(format!("\"peft_type\" is \"{other}\"; only \"LORA\" can be loaded")));
            }
        }
        for (key, advice) in REFUSED {
            if let Some(value) = raw.rest.get(key).filter(|value| is_set(value)) {
                return Err(wrong(format!("\"{key}\": {value} is not supported; {advice}")));
            }
        }
        if let Some(bias) = raw.rest.get("bias").filter(|bias| !bias.is_null() && *bias != "none") {
            return Err(wrong(format!("\"bias\": {bias} is not supported, only \"none\" is; {MERGE}")));
        }
        let rank = raw.r.filter(|&r| r > 0);
        let rank = rank.ok_or_else(|| wrong("\"r\" must be a rank of at least 1"))?;
        let alpha = raw.lora_alpha.filter(|alpha| alpha.is_finite());
        let alpha = alpha.ok_or_else(|| wrong("\"lora_alpha\" must be a finite number"))?;
        let rule = match raw.use_rslora {
            Some(true) => Rule::RankStabilised,
            _ => Rule::Plain,
        };
        let ranks = pattern("rank_pattern", raw.rank_pattern, |value| {
            value.as_u64().filter(|r| (1..1 << 32).contains(r)).map(|r| r as usize)
        })?;
        let alphas = pattern("alpha_pattern", raw.alpha_pattern, Value::as_f64)?;
        Ok(Self { rank, alpha, rule, ranks, alphas })
    }

    /// Rows of a module's first factor.
    pub(crate) fn rank_of(&self, module: &str) -> usize {
        self.ranks.value_of(module).unwrap_or(self.rank)
    }

    /// What a module's change is multiplied by.
    pub(crate) fn scale_of(&self, module: &str) -> f32 {
        let (rank, alpha) = (self.rank_of(module) as f64, self.alphas.value_of(module).unwrap_or(self.alpha));
        let scale = match self.rule {
            Rule::Plain => alpha / rank,
            Rule::RankStabilised => alpha / rank.sqrt(),
        };
        scale as f32
    }
}

fn pattern<T>(
    name: &str,
    map: Option<Map<String, Value>>,
    read: impl Fn(&Value) -> Option<T>,
) -> Result<Pattern<T>, Error> {
    let mut values = Vec::new();
    for (key, value) in map.unwrap_or_default() {
        // PEFT matches with Python's re: the key is the end of a module's name, after a dot
        let regex = Regex::new(&format!(r"^(?:.*\.)?(?:{key})$")).map_err(|error| {
            wrong(format!("\"{name}\" has the key \"{key}\", which is no pattern: {error}"))
        })?;
        let value = read(&value).ok_or_else(|| {
            wrong(format!("\"{name}\" says {value} for \"{key}\"; a positive number is needed"))
        })?;
        values.push((regex, value));
    }
    Ok(Pattern { values })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(changes: Value) -> Result<LoraConfig, String> {
        let mut config = json!({
            "peft_type": "LORA", "r": 4, "lora_alpha": 8, "bias": "none", "use_dora": false, "modules_to_save": null,
            "fan_in_fan_out": false, "rank_pattern": {}, "target_modules": ["q_proj"], "some_future_key": 3
        });
        for (key, value) in changes.as_object().unwrap() {
            config[key] = value.clone();
        }
        LoraConfig::from_json(config.to_string().as_bytes()).map_err(|error| error.to_string())
    }

    /// T-53 of the specification, and the rank-stabilised rule.
    #[test]
    fn scales() {
        let config = read(json!({"r": 2, "lora_alpha": 4})).unwrap();
        assert_eq!((config.rank_of("a.q_proj"), config.scale_of("a.q_proj")), (2, 2.0));
        let config = read(json!({"r": 16, "lora_alpha": 4, "use_rslora": true})).unwrap();
        assert_eq!(config.scale_of("x"), 1.0);
    }

    #[test]
    fn patterns_match_ends_of_names_and_the_first_one_counts() {
        let config = read(json!({
            "rank_pattern": {"layers.1.mlp.up_proj": 3, "up_proj": 9, r"model\.layers\.[02]\.self_attn\..*": 6},
            "alpha_pattern": {"proj": 100, "down_proj": 2.5}
        }))
        .unwrap();
        let rank = |module| config.rank_of(module);
        assert_eq!(rank("model.layers.1.mlp.up_proj"), 3);
        assert_eq!(rank("model.layers.11.mlp.up_proj"), 9);
        assert_eq!(rank("model.layers.2.self_attn.q_proj"), 6);
        assert_eq!(rank("model.layers.1.self_attn.q_proj"), 4);
        assert_eq!(rank("model.layers.1.mlp.shared_up_proj"), 4, "whole parts of names only");
        assert_eq!(config.scale_of("model.layers.0.mlp.down_proj"), 2.5 / 4.0);
        assert_eq!(config.scale_of("model.layers.0.mlp.gate_proj"), 2.0);
    }

    #[test]
    fn what_is_not_supported_is_refused_by_name() {
        for (changes, wanted) in [
            (json!({"peft_type": "LOHA"}), r#""peft_type" is "LOHA"; only "LORA""#),
            (json!({"use_dora": true}), r#""use_dora": true is not supported; merge the adapter"#),
            (json!({"bias": "lora_only"}), r#""bias": "lora_only" is not supported, only "none" is"#),
            (json!({"fan_in_fan_out": true}), r#""fan_in_fan_out": true is not supported"#),
            (json!({"modules_to_save": ["lm_head"]}), r#""modules_to_save": ["lm_head"] is not supported"#),
            (json!({"target_parameters": ["mlp.experts.gate_up_proj"]}), "target_parameters"),
            (json!({"r": 0}), r#""r" must be a rank"#),
            (json!({"r": -1}), "adapter_config.json: invalid value"),
            (json!({"lora_alpha": null}), r#""lora_alpha" must be"#),
            (json!({"rank_pattern": {"q_(": 2}}), r#""rank_pattern" has the key "q_(""#),
            (json!({"alpha_pattern": {"q": "x"}}), r#""alpha_pattern" says "x" for "q""#),
        ] {
            let error = read(changes.clone()).map(|_| ()).unwrap_err();
            assert!(error.contains(wanted), "{changes}: {error}");
        }
        assert!(LoraConfig::from_json(b"[").is_err());
        assert!(LoraConfig::from_json(b"{\"r\": 1}").unwrap_err().to_string().contains("peft_type"));
    }
}
