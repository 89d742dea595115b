//! `oneOf` between definitions that a key tells apart.

use serde_json::{Map, Value, json};

use super::place::escape;

/// Properties that are written out, at most: every option may name the same large object.
const MOST: usize = 20_000;

/// Writes out what the options of `oneOf` refer to, as far as llguidance needs it to see that no value can be two of them.
pub(super) fn open<'p>(root: &mut Value, places: impl Iterator<Item = &'p str>) {
    let mut n_left = MOST;
    for place in places {
        let Some(options) =
            root.pointer(place).and_then(|schema| schema.get("oneOf")).and_then(Value::as_array)
        else {
            continue;
        };
        let opened: Vec<Value> = options
            .iter()
            .map(|option| opened(root, option, &mut n_left).unwrap_or_else(|| option.clone()))
            .collect();
        if let Some(schema) = root.pointer_mut(place) {
            schema["oneOf"] = opened.into();
        }
    }
}

/// The object that an option refers to; what it consists of is referred to in turn, so that nothing is written out twice.
fn opened(root: &Value, option: &Value, n_left: &mut usize) -> Option<Value> {
    let fields = option.as_object()?;
    let place = fields.get("$ref")?.as_str()?.strip_prefix('#')?;
    let says_more = |key: &String| !matches!(&**key, "$ref" | "title" | "description");
    if fields.keys().any(says_more) || place.contains(['~', '%']) {
        return None;
    }
    let target = root.pointer(place)?.as_object()?;
    let is_plain = |key: &String| {
        let known =
            ["type", "properties", "required", "additionalProperties", "title", "description", "$schema"];
        known.contains(&&**key)
    };
    if !target.keys().all(is_plain) {
        return None;
    }
    let properties = target.get("properties")?.as_object()?;
    *n_left = n_left.checked_sub(properties.len())?;
    let mut copy = target.clone();
    let shown: Map<String, Value> = properties
        .iter()
        .map(|(key, schema)| {
            let is_small =
                schema.get("const").is_some() || schema.get("enum").is_some() || escape(key) != *key;
            let shown = if is_small {
                schema.clone()
            } else {
                json!({ "$ref": format!("#{place}/properties/{key}") })
            };
            (key.clone(), shown)
        })
        .collect();
    copy.insert("properties".into(), shown.into());
    if copy.get("additionalProperties").is_some_and(Value::is_object) {
        copy.insert(
            "additionalProperties".into(),
            json!({ "$ref": format!("#{place}/additionalProperties") }),
        );
    }
    Some(copy.into())
}
