//! Names of tokens that somebody typed: a chat template prints them beside the real ones, so they
//! are marked before it renders and unmarked while the prompt is encoded.

use serde_json::{Map, Value};

use crate::tokenizer::{GUARD, Names, TypedNames};
use crate::{ChatInput, Tokenizer};

/// Where thoughts may stand in a message, apart from its content.
const THOUGHTS: [&str; 3] = ["reasoning_content", "thinking", "reasoning"];

impl ChatInput {
    /// Marks the names of added tokens in what people, tools and programs wrote, so that
    /// [`Specials::ParseUnguarded`](crate::Specials::ParseUnguarded) takes them for text: a page
    /// that a tool returns must neither end its turn nor forge thoughts and calls. What the model
    /// said keeps the tags of thoughts, calls and results, which are its own.
    pub fn guard_specials(&mut self, tokenizer: &Tokenizer) {
        let names = tokenizer.typed_names();
        for message in self.messages.iter_mut().filter_map(Value::as_object_mut) {
            mark_message(names, message);
        }
        for value in self.tools.iter_mut().flatten().chain(self.extra.get_mut("documents")) {
            mark_all(&names.anywhere, value);
        }
    }
}

fn mark_message(names: &TypedNames, message: &mut Map<String, Value>) {
    let is_model = message.get("role").is_some_and(|role| role == "assistant");
    for (key, value) in message {
        match key.as_str() {
            "role" => {}
            "content" if is_model => mark_content(&names.in_replies, value),
            "content" => mark_content(&names.anywhere, value),
            key if is_model && THOUGHTS.contains(&key) => mark_all(&names.in_thoughts, value),
            _ => mark_all(&names.anywhere, value),
        }
    }
}

/// Marks a text, or the texts among parts, which templates print one after the other.
fn mark_content(names: &Names, content: &mut Value) {
    match content {
        Value::Array(parts) => {
            let texts = parts.iter_mut().filter_map(|part| part.get_mut("text"));
            names.mark(texts.filter_map(text_of).collect());
        }
        other => mark_all(names, other),
    }
}

/// Marks all texts of a value, the keys of its objects included.
fn mark_all(names: &Names, value: &mut Value) {
    match value {
        Value::String(text) => names.mark(vec![text]),
        Value::Array(items) => items.iter_mut().for_each(|item| mark_all(names, item)),
        Value::Object(map) => {
            if map.keys().any(|key| names.are_in(key)) {
                let marked = std::mem::take(map).into_iter().map(|(mut key, value)| {
                    names.mark(vec![&mut key]);
                    (key, value)
                });
                *map = marked.collect();
            }
            map.values_mut().for_each(|value| mark_all(names, value));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn text_of(value: &mut Value) -> Option<&mut String> {
    match value {
        Value::String(text) => Some(text),
        _ => None,
    }
}

/// A rendered chat without the marks of [`ChatInput::guard_specials`], for people.
#[must_use]
pub fn unguarded(text: &str) -> String {
    text.replace(GUARD, "")
}
