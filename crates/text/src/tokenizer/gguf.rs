//! The tokenizer inside a GGUF file.

use super::parts::{self, Added, Parts};
use crate::Error;

const FILE: &str = "the GGUF file";

/// Values of `tokenizer.ggml.token_type`.
const NORMAL: i32 = 1;
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
pub(super) fn from_gguf(file: GgufTokenizer) -> Result<Parts, Error> {
    if file.model != "gpt2" {
        return Err(Error::tokenizer(
            FILE,
            format!("tokenizer.ggml.model is {:?}; only \"gpt2\" (byte-level BPE) is supported", file.model),
        ));
    }
    let pattern = match file.pre.as_str() {
        "qwen2" | "deepseek-r1-qwen" => parts::LETTERS,
        "qwen35" => parts::LETTERS_AND_MARKS,
        // Converters before April 2024 wrote no name.
        "" | "default" => parts::pattern_for(file.tokens.len() as u32),
        other => {
            return Err(Error::tokenizer(
                FILE,
                format!("tokenizer.ggml.pre is {other:?}, which no Qwen model uses"),
            ));
        }
    };
    let merges = file.merges.iter().map(|line| parts::merge_of_line(FILE, line)).collect::<Result<_, _>>()?;
    let types = file.token_types.iter().copied().chain(std::iter::repeat(NORMAL));
    let mut parts = Parts::new(FILE, Default::default(), merges, pattern);
    for ((token, kind), id) in file.tokens.into_iter().zip(types).zip(0..) {
        match kind {
            // Converters fill the vocabulary up to the padded number of embedding rows.
            UNUSED => continue,
            _ if is_padding(&token) => continue,
            CONTROL => parts.added.push(Added::new(id, &token, true)),
            USER_DEFINED => parts.added.push(Added::new(id, &token, false)),
            _ => {}
        }
        parts.vocab.insert(token, id);
    }
    Ok(parts)
}

/// `[PAD151669]`, the name that converters give to rows without a token.
fn is_padding(token: &str) -> bool {
    token
        .strip_prefix("[PAD")
        .and_then(|rest| rest.strip_suffix(']'))
        .is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
}
