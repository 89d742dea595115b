//! Schemas at random.

use serde_json::{Map, Value, json};

use super::Rng;

/// A schema as APIs have them, with a definition that it may refer to.
pub(crate) fn document(rng: &mut Rng) -> Value {
    let mut schema = object(rng, 3);
    schema["$defs"] = json!({"shared": object(rng, 0)});
    schema
}

const WORDS: [&str; 12] =
    ["id", "name", "city", "date", "total", "items", "unit price", "straße", "is_ok", "a/b", "kind", "note"];

/// A schema as APIs have them, not deeper than `depth`.
fn schema(rng: &mut Rng, depth: usize) -> Value {
    let kind = if depth == 0 { rng.below(8) } else { rng.below(13) };
    match kind {
        0 => json!({"type": "boolean"}),
        1 => {
            json!({"type": "integer", "minimum": rng.below(50) as i64 - 25, "maximum": 30 + rng.below(5000)})
        }
        2 => json!({"type": "number", "exclusiveMinimum": -(rng.below(9) as f64) - 0.5, "maximum": 100.25}),
        3 => json!({"type": "string", "minLength": rng.below(3), "maxLength": 3 + rng.below(20)}),
        4 => json!({"enum": [*rng.pick(&WORDS), 7, null, "\"quoted\""]}),
        5 => {
            json!({"type": "string", "pattern": *rng.pick(&["^[A-Z]{2}-[0-9]{3}$", "^(a|b)+c?$", "^[^x]{1,5}$"])})
        }
        6 => {
            json!({"type": "string", "format": *rng.pick(&["date", "date-time", "uuid", "ipv4", "email", "time"])})
        }
        7 => json!({"type": ["integer", "null"]}),
        8 => {
            let least = rng.below(3);
            json!({"type": "array", "items": schema(rng, depth - 1), "minItems": least, "maxItems": least + rng.below(4)})
        }
        9 => json!({"anyOf": [schema(rng, depth - 1), schema(rng, depth - 1)]}),
        10 => json!({"$ref": "#/$defs/shared"}),
        11 => {
            json!({"type": "array", "prefixItems": [schema(rng, depth - 1), {"const": 3}], "items": false, "minItems": 2})
        }
        _ => object(rng, depth - 1),
    }
}

/// A closed object.
fn object(rng: &mut Rng, depth: usize) -> Value {
    let (mut properties, mut required) = (Map::new(), Vec::new());
    for _ in 0..1 + rng.below(4) {
        let name = *rng.pick(&WORDS);
        properties.insert(name.into(), schema(rng, depth));
        if !required.contains(&name) && !rng.one_in(3) {
            required.push(name);
        }
    }
    json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
}
