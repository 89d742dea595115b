//! `layer_types` of a configuration: what kind of attention each layer has.

use serde_json::Value;

use crate::config::{Config, Error, invalid};

/// A layer that sees everything before it.
pub(crate) const FULL: &str = "full_attention";
/// A layer that sees a window.
pub(crate) const SLIDING: &str = "sliding_attention";

/// The kind of each layer, if the configuration says so.
pub(crate) fn layer_types(config: &Config) -> Result<Option<Vec<&'static str>>, Error> {
    const KEY: &str = "layer_types";
    let Some(value) = config.get(KEY) else { return Ok(None) };
    let wrong = |what: String| invalid(KEY, value, format!("{what}; layers are \"{FULL}\" or \"{SLIDING}\""));
    let list = value.as_array().ok_or_else(|| wrong("a list is needed".to_owned()))?;
    let kinds = list.iter().map(|kind| {
        let known = [FULL, SLIDING].into_iter().find(|known| kind == known);
        known.ok_or_else(|| wrong(format!("{kind} is not supported in this architecture")))
    });
    kinds.collect::<Result<Vec<_>, _>>().map(Some)
}

/// The kinds that occur.
pub(crate) fn kinds(config: &Config) -> Result<Vec<&'static str>, Error> {
    Ok(match layer_types(config)? {
        Some(types) => [FULL, SLIDING].into_iter().filter(|kind| types.contains(kind)).collect(),
        None if config.get("use_sliding_window") == Some(&Value::Bool(true)) => vec![FULL, SLIDING],
        None => vec![FULL],
    })
}
