//! What can limit a text.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// White space in JSON: none, one space, or a line break with its indentation. Without a limit a model may go on with white
/// space for ever.
const WHITE_SPACE: &str = r"(\x20|\n\x20{0,40})?";

/// What a text must be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grammar {
    /// JSON that a schema describes (draft 2020-12 and earlier, as far as llguidance supports it).
    JsonSchema(Value),
    /// What a regular expression matches as a whole, in the syntax of the crate `regex`.
    Regex(String),
    /// A grammar in Lark's syntax, as llguidance extends it. Its start is the rule `start`.
    Lark(String),
    /// A grammar in llama.cpp's syntax. Its start is the rule `root`.
    Gbnf(String),
}

impl Grammar {
    /// Any JSON object.
    pub fn json_object() -> Self {
        Self::JsonSchema(json!({"type": "object"}))
    }
}

/// A schema with limited white space, unless it says itself what white space there is: for `%json` in Lark.
pub fn with_white_space(schema: &Value) -> Value {
    let mut schema = match schema {
        Value::Bool(true) => json!({}),
        other => other.clone(),
    };
    limit_formats(&mut schema);
    if let Some(fields) = schema.as_object_mut() {
        fields.entry("x-guidance").or_insert_with(|| json!({ "whitespace_pattern": WHITE_SPACE }));
    }
    schema
}

/// llguidance knows what an address is made of, not how long it may be, and has leap seconds in every minute.
fn limit_formats(schema: &mut Value) {
    const LONGEST: usize = 60;
    const NO_LEAP_SECOND: &str = r"^.*:[0-9]{2}:[0-5][0-9].*$";
    match schema {
        Value::Object(fields) => {
            if matches!(fields.get("format").and_then(Value::as_str), Some("email" | "hostname")) {
                let given = fields.get("maxLength").and_then(Value::as_u64).unwrap_or(u64::MAX);
                fields.insert("maxLength".into(), given.min(LONGEST as u64).into());
            }
            if matches!(fields.get("format").and_then(Value::as_str), Some("time" | "date-time")) {
                fields.entry("pattern").or_insert_with(|| NO_LEAP_SECOND.into());
            }
            // what lies in these are values, not schemas
            let schemas = fields
                .iter_mut()
                .filter(|(key, _)| !matches!(&***key, "const" | "enum" | "default" | "examples"));
            schemas.for_each(|(_, value)| limit_formats(value));
        }
        Value::Array(items) => items.iter_mut().for_each(limit_formats),
        _ => {}
    }
}
