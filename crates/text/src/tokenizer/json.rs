//! `tokenizer.json`, and the older pair `vocab.json` + `merges.txt`.
//!
//! The model is read here and built by `tokenizers`, not read by it: it would give added tokens
//! other ids than the file if there are gaps, apply a saved truncation, panic at a merge that is
//! longer than every token, and explain none of this.

use serde::Deserialize;
use serde_json::Value;
use tokenizers::models::bpe::{Merges, Vocab};

use super::added::Added;
use super::config::TokenizerConfig;
use super::parts::{self, Parts};
use crate::Error;

const FILE: &str = "tokenizer.json";

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    added_tokens: Vec<Added>,
    normalizer: Option<Value>,
    pre_tokenizer: Option<Value>,
    post_processor: Option<Value>,
    model: Model,
}

#[derive(Deserialize)]
struct Model {
    #[serde(rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    byte_fallback: bool,
    continuing_subword_prefix: Option<String>,
    end_of_word_suffix: Option<String>,
    vocab: Vocab,
    #[serde(default)]
    merges: Vec<Merge>,
}

/// A merge, in the newer form `["a", "b"]` or the older `"a b"`.
#[derive(Deserialize)]
#[serde(untagged, expecting = "a merge must be two tokens, separated by a space or in a list")]
enum Merge {
    Pair(String, String),
    Line(String),
}

/// Reads `tokenizer.json`.
pub(super) fn from_tokenizer_json(json: &[u8], config: TokenizerConfig) -> Result<Parts, Error> {
    let file: File = serde_json::from_slice(json).map_err(|source| Error::Json { file: FILE, source })?;
    let model = file.model;
    let unsupported = |what: String| Err(Error::tokenizer(FILE, what));
    if let Some(kind) = model.kind.as_deref()
        && kind != "BPE"
    {
        return unsupported(format!("its model is {kind:?}; only byte-level BPE is supported"));
    }
    if model.byte_fallback {
        return unsupported(
            "its model uses byte_fallback (a SentencePiece vocabulary); only byte-level BPE is supported"
                .to_owned(),
        );
    }
    let affixes = [&model.continuing_subword_prefix, &model.end_of_word_suffix];
    if let Some(affix) = affixes.into_iter().flatten().find(|a| !a.is_empty()) {
        return unsupported(format!(
            "its tokens carry the affix {affix:?}; only byte-level BPE is supported"
        ));
    }
    let merges = model.merges.into_iter().map(|merge| match merge {
        Merge::Pair(left, right) => Ok((left, right)),
        Merge::Line(line) => parts::merge_of_line(FILE, &line),
    });
    let pattern = pattern_of(file.pre_tokenizer.as_ref())?;
    let mut parts = Parts::new(FILE, model.vocab, merges.collect::<Result<_, _>>()?, pattern);
    parts.normalise = normalises(file.normalizer.as_ref())?;
    if let Some(processor) = file.post_processor {
        check_templates(&processor)?;
        let known = serde_json::from_value(processor).map_err(|error| {
            Error::tokenizer(FILE, format!("its post_processor is not a known one: {error}"))
        })?;
        parts.post_processor = Some(known);
    }
    // Tokens that only the config knows are added; where both know an id, tokenizer.json decides.
    parts.added = file.added_tokens;
    let known = parts.added.len();
    for added in &config.added {
        let same = |other: &Added| other.id == added.id || other.token.content == added.token.content;
        if !parts.added[..known].iter().any(same) {
            parts.added.push(added.clone());
        }
    }
    parts.config = config;
    Ok(parts)
}

/// Reads `vocab.json` and `merges.txt`.
pub(super) fn from_vocab_merges(
    vocab: &[u8],
    merges: &[u8],
    config: TokenizerConfig,
) -> Result<Parts, Error> {
    let vocab: Vocab =
        serde_json::from_slice(vocab).map_err(|source| Error::Json { file: "vocab.json", source })?;
    let text =
        std::str::from_utf8(merges).map_err(|_| Error::tokenizer("merges.txt", "it is not UTF-8 text"))?;
    let header = usize::from(text.starts_with("#version"));
    let merges: Merges = text
        .lines()
        .skip(header)
        .filter(|line| !line.is_empty())
        .map(|line| parts::merge_of_line("merges.txt", line))
        .collect::<Result<_, _>>()?;
    let mut parts = Parts::new("vocab.json and merges.txt", vocab, merges, parts::LETTERS);
    let end = parts.end()?;
    parts.pattern = match &config.pretokenize_regex {
        Some(pattern) => parts::known_pattern("tokenizer_config.json", pattern)?,
        None => parts::pattern_for(end),
    };
    parts.added.clone_from(&config.added);
    if parts.added.is_empty() {
        // The three tokens that every release adds, in the order in which all of them do.
        let names = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"];
        parts.added = names.into_iter().zip(end..).map(|(text, id)| Added::new(id, text, true)).collect();
    }
    parts.config = config;
    Ok(parts)
}

/// Whether text is brought to NFC first.
fn normalises(normalizer: Option<&Value>) -> Result<bool, Error> {
    let Some(normalizer) = normalizer else {
        return Ok(false);
    };
    match normalizer["type"].as_str() {
        Some("NFC") => Ok(true),
        Some("Sequence") => {
            let steps = normalizer["normalizers"].as_array().map_or(&[][..], Vec::as_slice);
            steps.iter().try_fold(false, |any, step| Ok(any | normalises(Some(step))?))
        }
        kind => Err(Error::tokenizer(
            FILE,
            format!("its normalizer is {}; only NFC is supported", kind.unwrap_or("unnamed")),
        )),
    }
}

/// Finds the splitting expression among the pre-tokenizers.
fn pattern_of(pre_tokenizer: Option<&Value>) -> Result<&'static str, Error> {
    let missing = || {
        Error::tokenizer(
            FILE,
            "its pre_tokenizer is not a Split by a regular expression followed by ByteLevel",
        )
    };
    let root = pre_tokenizer.ok_or_else(missing)?;
    let single = std::slice::from_ref(root);
    let steps = root["pretokenizers"].as_array().map_or(single, Vec::as_slice);
    let [split, byte_level] = steps else {
        return Err(missing());
    };
    let plain_bytes = byte_level["type"] == "ByteLevel"
        && byte_level["use_regex"] == false
        && byte_level["add_prefix_space"] != true;
    if split["type"] != "Split" || split["behavior"] != "Isolated" || split["invert"] == true || !plain_bytes
    {
        return Err(missing());
    }
    parts::known_pattern(FILE, split["pattern"]["Regex"].as_str().ok_or_else(missing)?)
}

/// The library panics when a template names a token that is not defined, or a second text.
fn check_templates(processor: &Value) -> Result<(), Error> {
    processor["processors"].as_array().into_iter().flatten().try_for_each(check_templates)?;
    for part in processor["single"].as_array().into_iter().flatten() {
        let token = part["SpecialToken"]["id"].as_str();
        let undefined = token.is_some_and(|token| processor["special_tokens"].get(token).is_none());
        if undefined || part["Sequence"]["id"] == "B" {
            return Err(Error::tokenizer(FILE, format!("its post_processor cannot use {part}")));
        }
    }
    Ok(())
}
