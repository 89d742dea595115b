//! What can limit a text.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{Error, schema};

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

    /// What it is, for people.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::JsonSchema(_) => "JSON schema",
            Self::Regex(_) => "regular expression",
            Self::Lark(_) | Self::Gbnf(_) => "grammar",
        }
    }
}

/// A schema as llguidance is to read it, for `%json` in Lark: narrowed where llguidance is looser than the specification, and with
/// limited white space, unless it says itself what white space there is.
///
/// # Errors
/// If it asks for what is not supported, by name and place.
pub fn for_lark(schema: &Value) -> Result<Value, Error> {
    let kind = Grammar::JsonSchema(Value::Null).kind();
    schema::prepare(schema).map_err(|reason| Error::Grammar { kind, reason })
}
