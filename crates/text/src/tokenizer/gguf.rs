//! The tokenizer inside a GGUF file.

use super::added::{AddedToken, AddedTokens};
use super::config::TokenizerConfig;
use super::split::Splitter;
use super::{Inner, spelled};
use crate::Error;

const FILE: &str = "the GGUF file";

/// Values of `tokenizer.ggml.token_type`.
const CONTROL: i32 = 3;
const USER_DEFINED: i32 = 4;
const UNUSED: i32 = 5;

/// The `tokenizer.ggml.*` values of a GGUF file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GgufTokenizer {
    /// `tokenizer.ggml.model`
    pub model: String,
    /// `tokenizer.ggml.pre`; empty when the file has none
    pub pre: String,
    /// `tokenizer.ggml.tokens`
    pub tokens: Vec<String>,
    /// `tokenizer.ggml.token_type`; empty when the file has none
    pub token_types: Vec<i32>,
    /// `tokenizer.ggml.merges`
    pub merges: Vec<String>,
}

/// Takes the values over.
pub(super) fn from_gguf(parts: &GgufTokenizer) -> Result<Inner, Error> {
    if parts.model != "gpt2" {
        return Err(Error::tokenizer(
            FILE,
            format!("tokenizer.ggml.model is {:?}; only \"gpt2\" (byte-level BPE) is supported", parts.model),
        ));
    }
    let splitter = match parts.pre.as_str() {
        "qwen2" | "deepseek-r1-qwen" => Splitter::Letters,
        "qwen35" => Splitter::LettersAndMarks,
        // Converters before April 2024 wrote no name.
        "" | "default" => Splitter::for_vocabulary(parts.tokens.len()),
        other => {
            return Err(Error::tokenizer(
                FILE,
                format!("tokenizer.ggml.pre is {other:?}, which no Qwen model uses"),
            ));
        }
    };
    let type_of = |at: usize| parts.token_types.get(at).copied().unwrap_or(1);
    // Converters fill the vocabulary up to the padded number of embedding rows.
    let real = |at: usize| type_of(at) != UNUSED && !is_padding(&parts.tokens[at]);
    let count = (0..parts.tokens.len()).rev().find(|&at| real(at)).map_or(0, |at| at + 1);
    let tokens = parts.tokens[..count].iter().map(String::as_str).zip(0..);
    let merges: Vec<_> =
        parts.merges.iter().map(|line| spelled::merge_of_line(FILE, line)).collect::<Result<_, _>>()?;
    let (vocabulary, bpe) = spelled::build(FILE, tokens.clone(), merges.into_iter())?;
    let added = tokens.filter_map(|(text, id)| {
        let special = match type_of(id as usize) {
            CONTROL => true,
            USER_DEFINED => false,
            _ => return None,
        };
        Some(AddedToken { id, text: text.to_owned(), special })
    });
    let added = AddedTokens::new(added);
    Inner::new(FILE, vocabulary, bpe, splitter, added, TokenizerConfig::default())
}

/// `[PAD151669]`, the name that converters give to rows without a token.
fn is_padding(token: &str) -> bool {
    token
        .strip_prefix("[PAD")
        .and_then(|rest| rest.strip_suffix(']'))
        .is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
}
