//! Where a configuration describes its positions: `rope_parameters` (transformers 5), also nested by layer type, or
//! `rope_scaling`.

use serde_json::{Map, Value};

use crate::config::{Config, Error, invalid};
use crate::layer_types::{FULL, SLIDING, kinds};

/// Keys of scalings that are not supported; positions that ignore them are others.
const UNSERVED: [&str; 6] =
    ["alpha", "short_factor", "long_factor", "low_freq_factor", "high_freq_factor", "attn_factor"];

/// The description of positions, the same for all layers, if there is one.
pub(crate) fn rope_parameters(config: &Config) -> Result<Option<Map<String, Value>>, Error> {
    let newer = table(config, "rope_parameters")?.map(|table| of_all_layers(config, table)).transpose()?;
    let older = table(config, "rope_scaling")?.filter(|table| !table.is_empty());
    let found = match (newer, older) {
        (Some(newer), Some(older)) => {
            agree(&newer, older)?;
            Some(newer)
        }
        (newer, older) => newer.or_else(|| older.cloned()),
    };
    let Some(table) = found else { return Ok(None) };
    let refuse = |why: String| invalid("rope_scaling", &Value::Object(table.clone()), why);
    if let Some(key) = UNSERVED.into_iter().find(|key| table.get(*key).is_some_and(|v| !v.is_null())) {
        return Err(refuse(format!("\"{key}\" is not supported")));
    }
    if table.get("partial_rotary_factor").is_some_and(|part| !part.is_null() && part.as_f64() != Some(1.0)) {
        return Err(refuse(
            "only models that rotate whole heads are supported, not partial_rotary_factor".into(),
        ));
    }
    Ok(Some(table))
}

fn table<'c>(config: &'c Config, key: &'static str) -> Result<Option<&'c Map<String, Value>>, Error> {
    let Some(value) = config.get(key) else { return Ok(None) };
    value.as_object().map(Some).ok_or_else(|| invalid(key, value, "a table of its parameters is needed"))
}

/// Positions nested by layer type, where all types that occur have the same.
fn of_all_layers(config: &Config, table: &Map<String, Value>) -> Result<Map<String, Value>, Error> {
    const KEY: &str = "rope_parameters";
    if !table.iter().any(|(key, value)| [FULL, SLIDING].contains(&key.as_str()) || value.is_object()) {
        return Ok(table.clone());
    }
    let refuse = |why: String| invalid(KEY, &Value::Object(table.clone()), why);
    let of_kinds = kinds(config)?.into_iter().map(|kind| {
        let own = table.get(kind).and_then(Value::as_object);
        own.ok_or_else(|| {
            refuse(format!("nested by layer type, it needs the parameters of \"{kind}\" layers"))
        })
    });
    let of_kinds = of_kinds.collect::<Result<Vec<_>, _>>()?;
    match of_kinds.split_first() {
        Some((first, others)) if others.iter().all(|other| other == first) => Ok((*first).clone()),
        _ => Err(refuse("positions that differ from layer to layer are not supported".into())),
    }
}

/// Refuses an older table that says something else than the newer one.
fn agree(newer: &Map<String, Value>, older: &Map<String, Value>) -> Result<(), Error> {
    let kind = |table: &Map<String, Value>| {
        let kind = table.get("rope_type").or_else(|| table.get("type"));
        kind.and_then(Value::as_str).unwrap_or("default").to_owned()
    };
    let differs = |(key, value): (&String, &Value)| {
        !["type", "rope_type"].contains(&key.as_str())
            && !value.is_null()
            && newer.get(key).and_then(Value::as_f64).or(value.as_f64()) != value.as_f64()
    };
    if kind(newer) == kind(older) && !older.iter().any(differs) {
        return Ok(());
    }
    let expected = "\"rope_parameters\" says something else; one of the two must go";
    Err(invalid("rope_scaling", &Value::Object(older.clone()), expected))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(json: Value) -> Result<Option<Value>, String> {
        rope_parameters(&Config::new(json))
            .map(|table| table.map(Value::Object))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn nested_parameters_are_used_or_refused() {
        let (plain, other) = (json!({"rope_theta": 5e6}), json!({"rope_theta": 1e4}));
        let nested = json!({"full_attention": plain, "sliding_attention": other});
        assert_eq!(of(json!({"rope_parameters": nested})), Ok(Some(plain.clone())));
        let both = json!(["full_attention", "sliding_attention"]);
        let error = of(json!({"rope_parameters": nested, "layer_types": both})).unwrap_err();
        assert!(error.contains("rope_parameters") && error.contains("layer to layer"), "{error}");
        let same = json!({"full_attention": plain, "sliding_attention": plain});
        assert_eq!(of(json!({"rope_parameters": same, "layer_types": both})), Ok(Some(plain.clone())));
        let error = of(json!({"rope_parameters": {"sliding_attention": plain}})).unwrap_err();
        assert!(error.contains("\"full_attention\" layers"), "{error}");
        assert!(of(json!({"rope_parameters": {"full_attention": plain, "rope_theta": 1e4}})).is_ok());
    }

    #[test]
    fn nothing_is_ignored() {
        for (config, word) in [
            (json!({"rope_scaling": "yarn"}), "a table"),
            (json!({"rope_parameters": [1]}), "a table"),
            (json!({"rope_scaling": {"type": "dynamic", "alpha": 1000}}), "alpha"),
            (
                json!({"rope_parameters": {"rope_theta": 1e4, "partial_rotary_factor": 0.5}}),
                "partial_rotary_factor",
            ),
            (
                json!({"rope_parameters": {"rope_theta": 1e4}, "rope_scaling": {"type": "yarn", "factor": 4}}),
                "one of the two",
            ),
        ] {
            let error = of(config).unwrap_err();
            assert!(error.contains(word), "\"{word}\" is not in: {error}");
        }
        let yarn = json!({"rope_type": "yarn", "factor": 4.0, "rope_theta": 1e4});
        let both = json!({"rope_parameters": yarn, "rope_scaling": {"type": "yarn", "factor": 4}});
        assert_eq!(of(both), Ok(Some(yarn)));
    }
}
