//! Which architecture is which file.

use crate::{Config, Error, Plan, qwen1, qwen2, qwen2_moe, qwen3, qwen3_moe, unserved};

type MakePlan = fn(&Config) -> Result<Plan, Error>;

/// A family's `model_type`, the classes and GGUF names that it goes by besides, and its file.
const FAMILIES: &[(&str, &[&str], MakePlan)] = &[
    ("qwen", &["QWenLMHeadModel"], qwen1::plan),
    (
        "qwen2",
        &[
            "Qwen2ForCausalLM",
            "Qwen2Model",
            "Qwen2ForSequenceClassification",
            "Qwen2ForRewardModel",
            "Qwen2ForProcessRewardModel",
        ],
        qwen2::plan,
    ),
    ("qwen2_moe", &["Qwen2MoeForCausalLM", "Qwen2MoeModel", "qwen2moe"], qwen2_moe::plan),
    ("qwen3", &["Qwen3ForCausalLM", "Qwen3Model", "Qwen3ForSequenceClassification"], qwen3::plan),
    ("qwen3_moe", &["Qwen3MoeForCausalLM", "Qwen3MoeModel", "qwen3moe"], qwen3_moe::plan),
];

/// `model_type` of every known family.
pub fn known_architectures() -> Vec<&'static str> {
    FAMILIES.iter().map(|(name, ..)| *name).collect()
}

/// Makes the plan of a configuration, dispatching on `architectures[0]`, then on `model_type`.
pub fn plan(config: &Config) -> Result<Plan, Error> {
    let architecture = config.architecture().ok_or(Error::Missing { key: "architectures" })?;
    let by_class = FAMILIES.iter().find(|(_, classes, _)| classes.contains(&architecture));
    // A class that nobody knows is another model, whatever its model_type: a vision model is no language model.
    let by_type = || FAMILIES.iter().find(|(name, ..)| architecture == *name);
    let (.., make) = by_class.or_else(by_type).ok_or_else(|| Error::UnknownArchitecture {
        found: architecture.to_owned(),
        known: known_architectures(),
    })?;
    unserved::check(config)?;
    make(config)
}
