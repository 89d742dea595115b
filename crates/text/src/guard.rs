//! Names of special tokens that somebody typed: a chat template prints them beside the real ones,
//! so they are marked before it renders and unmarked while the prompt is encoded.

use serde_json::Value;

use crate::tokenizer::GUARD;
use crate::{ChatInput, Tokenizer};

impl ChatInput {
    /// Marks the names of special tokens in what users, tools and the model wrote, so that
    /// [`Specials::ParseUnguarded`](crate::Specials::ParseUnguarded) takes them for text. System
    /// messages and tools are the program's own and stay.
    pub fn guard_specials(&mut self, tokenizer: &Tokenizer) {
        let guarded: Vec<(&str, String)> =
            tokenizer.special_names().map(|name| (name, guard(name))).collect();
        let written = self.messages.iter_mut().filter(|message| message["role"] != "system");
        for message in written {
            match message.get_mut("content") {
                Some(Value::Array(parts)) => {
                    parts
                        .iter_mut()
                        .filter_map(|part| part.get_mut("text"))
                        .for_each(|text| mark(text, &guarded));
                }
                Some(text) => mark(text, &guarded),
                None => {}
            }
        }
    }
}

/// The same name with the mark behind its first character.
fn guard(name: &str) -> String {
    let mut chars = name.chars();
    chars.next().into_iter().chain([GUARD]).chain(chars).collect()
}

fn mark(value: &mut Value, guarded: &[(&str, String)]) {
    let Value::String(text) = value else { return };
    for (name, guarded) in guarded {
        if text.contains(name) {
            *text = text.replace(name, guarded);
        }
    }
}

/// A rendered chat without the marks of [`ChatInput::guard_specials`], for people.
#[must_use]
pub fn unguarded(text: &str) -> String {
    text.replace(GUARD, "")
}
