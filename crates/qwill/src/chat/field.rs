//! What a field of a request may hold, and how that is said where it holds something else.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{Effort, GrammarText, Message, ResponseFormat, Speculation, ToolChoice};
use crate::{AdapterUse, Error};

/// What a field of a request is read as.
pub(super) trait Field: DeserializeOwned {
    /// What it may be, in words.
    const RIGHT: &'static str;

    /// Reads the field `name`.
    fn read(name: &str, value: Value) -> Result<Self, Error> {
        let shown = shown(&value);
        serde_json::from_value(value)
            .map_err(|_| Error::Request(format!("{name} must be {}, not {shown}", Self::RIGHT)))
    }
}

impl Field for f32 {
    const RIGHT: &'static str = "a number";
}

impl Field for usize {
    const RIGHT: &'static str = "a whole number from 0 on";
}

impl Field for u32 {
    const RIGHT: &'static str = "a whole number from 0 on";
}

impl Field for u64 {
    const RIGHT: &'static str = "a whole number from 0 on";
}

impl Field for bool {
    const RIGHT: &'static str = "true or false";
}

impl Field for String {
    const RIGHT: &'static str = "a text";
}

impl Field for Vec<String> {
    const RIGHT: &'static str = "a text or a list of texts";
}

impl Field for Value {
    const RIGHT: &'static str = "JSON";
}

impl Field for Vec<Value> {
    const RIGHT: &'static str = "a list";
}

impl Field for Map<String, Value> {
    const RIGHT: &'static str = "an object";
}

impl Field for BTreeMap<u32, f32> {
    const RIGHT: &'static str = "an object of token ids, each with a number";
}

impl Field for Vec<AdapterUse> {
    const RIGHT: &'static str = "a list of objects with a name and, if wanted, a scale";
}

impl Field for Effort {
    const RIGHT: &'static str = "one of none, minimal, low, medium, high, xhigh and max";
}

impl Field for ResponseFormat {
    const RIGHT: &'static str = "{\"type\": \"text\"}, {\"type\": \"json_object\"} or {\"type\": \"json_schema\", \"json_schema\": {\"schema\": …}}";
}

impl Field for GrammarText {
    const RIGHT: &'static str =
        "a grammar's text, or an object with a syntax (\"lark\" or \"gbnf\") and a definition";
}

impl Field for ToolChoice {
    const RIGHT: &'static str =
        "one of \"auto\", \"none\", \"required\" and {\"type\": \"function\", \"function\": {\"name\": …}}";
}

impl Field for Speculation {
    const RIGHT: &'static str = "\"off\" or \"ngram\"";
}

impl Field for Message {
    const RIGHT: &'static str = "an object with a role and a content";

    /// A message says itself what is wrong with it.
    fn read(name: &str, value: Value) -> Result<Self, Error> {
        match value {
            Value::Object(fields) => {
                Self::try_from(fields).map_err(|error| Error::Request(format!("{name}: {error}")))
            }
            other => Err(Error::Request(format!("{name} must be {}, not {}", Self::RIGHT, shown(&other)))),
        }
    }
}

/// A value in a message, not all of it if it is long.
fn shown(value: &Value) -> String {
    const MOST: usize = 80;
    let text = value.to_string();
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
