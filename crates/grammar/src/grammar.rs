//! What can limit a text.

use std::sync::Arc;

use llguidance::ParserFactory;
use llguidance::api::TopLevelGrammar;
use llguidance::earley::SlicedBiasComputer;
use llguidance::toktrie::{InferenceCapabilities, TokEnv};
use serde_json::{Value, json};

use crate::vocabulary::Environment;
use crate::{Error, Matcher, Vocabulary, gbnf};

/// White space in JSON: none, one space, or a line break with its indentation. Without a limit a model may go on with white
/// space for ever.
const WHITE_SPACE: &str = r"(\x20|\n\x20{0,40})?";

/// What a text must be.
#[derive(Debug, Clone, PartialEq)]
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

    fn kind(&self) -> &'static str {
        match self {
            Self::JsonSchema(_) => "JSON schema",
            Self::Regex(_) => "regular expression",
            Self::Lark(_) | Self::Gbnf(_) => "grammar",
        }
    }

    fn top_level(&self) -> Result<TopLevelGrammar, String> {
        Ok(match self {
            Self::JsonSchema(schema) => TopLevelGrammar::from_json_schema(with_white_space(schema)),
            Self::Regex(regex) => TopLevelGrammar::from_regex(regex),
            Self::Lark(text) => TopLevelGrammar::from_lark(text.clone()),
            Self::Gbnf(text) => TopLevelGrammar::from_lark(gbnf::to_lark(text)?),
        })
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

/// Grammars over a vocabulary. Making it takes a while, compiling a grammar less.
pub struct Grammars(ParserFactory);

impl std::fmt::Debug for Grammars {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Grammars").finish_non_exhaustive()
    }
}

impl Grammars {
    /// Prepares a vocabulary.
    ///
    /// # Errors
    /// If it has no token that ends a text, or llguidance cannot use it.
    pub fn new(vocabulary: Vocabulary) -> Result<Self, Error> {
        let environment = Environment::new(vocabulary);
        let environment = environment.ok_or_else(|| Error::Vocabulary("no token ends a text".into()))?;
        let environment: TokEnv = Arc::new(environment);
        let capabilities = InferenceCapabilities { ff_tokens: true, ..InferenceCapabilities::default() };
        let slices = SlicedBiasComputer::json_slices();
        let factory = ParserFactory::new(&environment, capabilities, &slices);
        let mut factory = factory.map_err(|error| Error::Vocabulary(error.to_string()))?;
        factory.quiet();
        factory.limits_mut().verbose_errors = false;
        Ok(Self(factory))
    }

    /// The beginning of a text that a grammar describes.
    ///
    /// # Errors
    /// If the grammar makes no sense, or asks for what is not supported, by name.
    pub fn compile(&self, grammar: &Grammar) -> Result<Matcher, Error> {
        let fail = |reason: String| Error::Grammar { kind: grammar.kind(), reason };
        let parser = self.0.create_parser(grammar.top_level().map_err(fail)?);
        let matcher = llguidance::Matcher::new(parser);
        match matcher.get_error() {
            Some(reason) => Err(fail(reason)),
            None => Ok(Matcher::new(matcher)),
        }
    }
}
