//! What a request says of its reply's form.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// What the text of a reply must be, in the shape of OpenAI's `response_format`. Thoughts before it are free.
///
/// ```
/// use qwill::{ChatRequest, ResponseFormat};
///
/// let request: ChatRequest = serde_json::from_str(
///     r#"{"messages": [{"role": "user", "content": "Paris?"}], "response_format": {"type": "json_schema",
///         "json_schema": {"name": "city", "schema": {"type": "object", "properties": {"country": {"type": "string"}}}}}}"#,
/// )?;
/// assert!(matches!(request.response_format, Some(ResponseFormat::JsonSchema(_))));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "json_schema", rename_all = "snake_case", deny_unknown_fields)]
pub enum ResponseFormat {
    /// Any text.
    Text,
    /// A JSON object.
    JsonObject,
    /// JSON that a schema describes.
    JsonSchema(NamedSchema),
}

/// A JSON schema as OpenAI's requests have it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamedSchema {
    /// For people.
    #[serde(default)]
    pub name: String,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The schema.
    pub schema: Value,
    /// Every schema is followed strictly, whatever this says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strict: Option<bool>,
}

impl ResponseFormat {
    /// JSON that this schema describes.
    pub fn schema(schema: Value) -> Self {
        Self::JsonSchema(NamedSchema { name: "reply".into(), description: None, schema, strict: None })
    }
}

/// A grammar that the text of a reply must follow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "GrammarFields", into = "GrammarFields")]
pub struct GrammarText {
    /// How it is written.
    pub syntax: GrammarSyntax,
    /// The grammar.
    pub definition: String,
}

/// How a grammar is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GrammarSyntax {
    /// As for the Python package Lark, from the rule `start` on.
    Lark,
    /// As for llama.cpp, from the rule `root` on.
    Gbnf,
}

/// A grammar, or only its text.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum GrammarFields {
    Text(String),
    Whole { syntax: GrammarSyntax, definition: String },
}

impl From<GrammarFields> for GrammarText {
    fn from(fields: GrammarFields) -> Self {
        match fields {
            GrammarFields::Whole { syntax, definition } => Self { syntax, definition },
            GrammarFields::Text(text) => Self::guess(text),
        }
    }
}

impl From<GrammarText> for GrammarFields {
    fn from(GrammarText { syntax, definition }: GrammarText) -> Self {
        Self::Whole { syntax, definition }
    }
}

impl GrammarText {
    /// A grammar whose syntax follows from its text: only GBNF has `::=`.
    pub fn guess(definition: impl Into<String>) -> Self {
        let definition = definition.into();
        let syntax = if definition.contains("::=") { GrammarSyntax::Gbnf } else { GrammarSyntax::Lark };
        Self { syntax, definition }
    }
}

/// Whether a reply calls tools.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Value", try_from = "Value")]
pub enum ToolChoice {
    /// As the model likes.
    #[default]
    Auto,
    /// It does not, and the model does not see them.
    None,
    /// It does.
    Required,
    /// It calls this one.
    Named(String),
}

impl From<ToolChoice> for Value {
    fn from(choice: ToolChoice) -> Self {
        match choice {
            ToolChoice::Auto => "auto".into(),
            ToolChoice::None => "none".into(),
            ToolChoice::Required => "required".into(),
            ToolChoice::Named(name) => json!({"type": "function", "function": {"name": name}}),
        }
    }
}

impl TryFrom<Value> for ToolChoice {
    type Error = &'static str;

    /// In OpenAI's shape: a word, or the function's name in an object.
    fn try_from(value: Value) -> Result<Self, Self::Error> {
        let name = value.pointer("/function/name").or(value.get("name")).and_then(Value::as_str);
        match (value.as_str(), name) {
            (Some("auto"), _) => Ok(Self::Auto),
            (Some("none"), _) => Ok(Self::None),
            (Some("required" | "any"), _) => Ok(Self::Required),
            (None, Some(name)) => Ok(Self::Named(name.to_owned())),
            _ => Err("neither a choice nor a function's name"),
        }
    }
}
