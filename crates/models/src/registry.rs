//! Which architecture is which file.

use crate::{Config, Error, Plan, qwen2, qwen3};

type MakePlan = fn(&Config) -> Result<Plan, Error>;

const FAMILIES: &[(&str, &[&str], MakePlan)] = &[
    ("qwen2", &["Qwen2ForCausalLM", "Qwen2Model"], qwen2::plan),
    ("qwen3", &["Qwen3ForCausalLM", "Qwen3Model"], qwen3::plan),
];

/// `model_type` of every known family.
pub fn known_architectures() -> Vec<&'static str> {
    FAMILIES.iter().map(|(name, ..)| *name).collect()
}

/// Makes the plan of a configuration, dispatching on `architectures[0]`, then on `model_type`.
pub fn plan(config: &Config) -> Result<Plan, Error> {
    let architecture = config.architecture().ok_or(Error::Missing { key: "architectures" })?;
    let by_class = FAMILIES.iter().find(|(_, classes, _)| classes.contains(&architecture));
    // A class that nobody knows is another model, whatever its model_type: a reward head is no language model.
    let by_type = || FAMILIES.iter().find(|(name, ..)| architecture == *name);
    let (.., make) = by_class.or_else(by_type).ok_or_else(|| Error::UnknownArchitecture {
        found: architecture.to_owned(),
        known: known_architectures(),
    })?;
    make(config)
}
