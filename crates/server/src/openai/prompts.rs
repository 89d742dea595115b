//! The prompts of a completion: a text, tokens, or several of either.

use qwill::Model;
use qwill::text::{Specials, SpecialsOut};
use serde::Deserialize;

use crate::failure::Failure;

/// What may be given as a prompt, or to be embedded.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Input {
    Text(String),
    Texts(Vec<String>),
    Tokens(Vec<u32>),
    TokenLists(Vec<Vec<u32>>),
}

impl Input {
    pub(super) const RIGHT: &'static str = "a text, a list of texts, a list of token ids, or a list of those";
}

/// One of them.
#[derive(Debug)]
pub(super) enum One {
    Text(String),
    Tokens(Vec<u32>),
}

impl Input {
    /// Each for itself; there is at least one and not more than `most`.
    pub(super) fn each(self, name: &str, most: usize) -> Result<Vec<One>, Failure> {
        let all: Vec<One> = match self {
            Self::Text(text) => vec![One::Text(text)],
            Self::Texts(texts) => texts.into_iter().map(One::Text).collect(),
            Self::Tokens(ids) => vec![One::Tokens(ids)],
            Self::TokenLists(lists) => lists.into_iter().map(One::Tokens).collect(),
        };
        if all.is_empty() || all.len() > most {
            return Err(Failure::invalid(format!(
                "{name} has {} entries, but must have 1 to {most}",
                all.len()
            )));
        }
        Ok(all)
    }
}

impl One {
    /// The text; tokens must be what their text becomes, because it is the text that the model reads.
    pub(super) fn into_text(self, model: &Model) -> Result<String, Failure> {
        match self {
            Self::Text(text) => Ok(text),
            Self::Tokens(ids) => {
                let text = model.tokenizer()?.decode(&ids, SpecialsOut::Keep);
                if model.tokenize(&text, Specials::Parse)? == ids {
                    return Ok(text);
                }
                Err(Failure::invalid(
                    "these token ids are not those of any text; give the prompt as text, or the ids that /tokenize tells",
                ))
            }
        }
    }
}
