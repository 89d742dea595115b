//! The tokenizer inside a GGUF file.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::added::Added;
use super::parts::{self, Parts};
use super::{Tokenizer, alphabet};
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
    /// Names of tokens as templates print them: `bos_token`, `eos_token` and the like
    pub special_names: BTreeMap<String, String>,
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
    parts.config.special_names =
        file.special_names.into_iter().map(|(key, name)| (key, Value::from(name))).collect();
    Ok(parts)
}

/// What the library says of a model of byte pairs.
#[derive(Deserialize)]
struct BytePairs {
    merges: Vec<(String, String)>,
}

/// The inverse of [`from_gguf`].
pub(super) fn to_gguf(tokenizer: &Tokenizer, n_rows: usize) -> Result<GgufTokenizer, Error> {
    let model = tokenizer.inner.library.get_model();
    // The library gives merges away only in its own file format.
    let pairs = serde_json::to_value(model).and_then(BytePairs::deserialize);
    let pairs = pairs.map_err(|source| Error::Json { file: "the tokenizer", source })?;
    let mut file = GgufTokenizer {
        model: "gpt2".to_owned(),
        pre: if tokenizer.inner.pattern == parts::LETTERS { "qwen2" } else { "qwen35" }.to_owned(),
        merges: pairs.merges.iter().map(|(left, right)| format!("{left} {right}")).collect(),
        special_names: names_of(tokenizer),
        ..GgufTokenizer::default()
    };
    for id in 0..n_rows.max(tokenizer.n_tokens()) as u32 {
        let (token, kind) = match (tokenizer.added(id), model_token(tokenizer, id)) {
            (Some(added), _) if added.special => (added.content.clone(), CONTROL),
            (Some(added), _) => (added.content.clone(), USER_DEFINED),
            (None, Some(token)) => (token, NORMAL),
            (None, None) => (format!("[PAD{id}]"), UNUSED),
        };
        file.tokens.push(token);
        file.token_types.push(kind);
    }
    Ok(file)
}

fn names_of(tokenizer: &Tokenizer) -> BTreeMap<String, String> {
    let names = tokenizer.config().special_names().iter();
    names.filter_map(|(key, name)| Some((key.clone(), name.as_str()?.to_owned()))).collect()
}

fn model_token(tokenizer: &Tokenizer, id: u32) -> Option<String> {
    use tokenizers::Model as _;
    tokenizer.inner.library.get_model().id_to_token(id)
}

impl GgufTokenizer {
    /// A vocabulary of the 256 bytes and some control tokens after them, filled up to `n_rows`: for models that were
    /// never trained.
    pub fn of_bytes(control_tokens: &[&str], n_rows: usize) -> Self {
        let bytes = (0..=255).map(|byte| (alphabet::spell(&[byte]), NORMAL));
        let control = control_tokens.iter().map(|&token| (token.to_owned(), CONTROL));
        let used = 256 + control_tokens.len();
        let padding = (used..n_rows).map(|id| (format!("[PAD{id}]"), UNUSED));
        let (tokens, token_types) = bytes.chain(control).chain(padding).unzip();
        Self { model: "gpt2".to_owned(), pre: "qwen2".to_owned(), tokens, token_types, ..Self::default() }
    }
}

/// `[PAD151669]`, the name that converters give to rows without a token.
fn is_padding(token: &str) -> bool {
    token
        .strip_prefix("[PAD")
        .and_then(|rest| rest.strip_suffix(']'))
        .is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
}
