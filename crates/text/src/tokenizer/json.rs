//! `tokenizer.json`, and the older pair `vocab.json` + `merges.txt`.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::added::{AddedToken, AddedTokens};
use super::config::TokenizerConfig;
use super::split::Splitter;
use super::{Inner, spelled};
use crate::Error;

const FILE: &str = "tokenizer.json";

#[derive(Deserialize)]
struct File<'a> {
    #[serde(default)]
    added_tokens: Vec<Added>,
    normalizer: Option<Value>,
    pre_tokenizer: Option<Value>,
    post_processor: Option<Value>,
    #[serde(borrow)]
    model: Model<'a>,
}

#[derive(Deserialize)]
struct Added {
    id: u32,
    content: String,
    #[serde(default)]
    special: bool,
    #[serde(default)]
    single_word: bool,
    #[serde(default)]
    lstrip: bool,
    #[serde(default)]
    rstrip: bool,
}

#[derive(Deserialize)]
struct Model<'a> {
    #[serde(rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    byte_fallback: bool,
    continuing_subword_prefix: Option<String>,
    end_of_word_suffix: Option<String>,
    #[serde(borrow)]
    vocab: Vocab<'a>,
    #[serde(borrow, default)]
    merges: Vec<Pair<'a>>,
}

/// A map of tokens to ids. Kept as a list: nothing is looked up before the whole is known.
struct Vocab<'a>(Vec<(Text<'a>, u32)>);

#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Vocab<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Vocab<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map from tokens to ids")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::with_capacity(map.size_hint().unwrap_or(0));
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Vocab(entries))
            }
        }
        deserializer.deserialize_map(Entries)
    }
}

/// A merge, in the older form `"a b"` or the newer `["a", "b"]`.
struct Pair<'a>(Cow<'a, str>, Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Pair<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Pair<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("two tokens, separated by a space or in a list")
            }
            fn visit_borrowed_str<E: serde::de::Error>(self, text: &'de str) -> Result<Pair<'de>, E> {
                let (left, right) = spelled::merge_of_line(FILE, text).map_err(E::custom)?;
                Ok(Pair(left, right))
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Pair<'de>, E> {
                let (left, right) = spelled::merge_of_line(FILE, text).map_err(E::custom)?;
                Ok(Pair(Cow::Owned(left.into_owned()), Cow::Owned(right.into_owned())))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Pair<'de>, A::Error> {
                match (seq.next_element::<Text>()?, seq.next_element::<Text>()?) {
                    (Some(left), Some(right)) => Ok(Pair(left.0, right.0)),
                    _ => Err(A::Error::custom("a merge needs two tokens")),
                }
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// Reads `tokenizer.json`.
pub(super) fn from_tokenizer_json(json: &[u8], config: TokenizerConfig) -> Result<Inner, Error> {
    let file: File<'_> = serde_json::from_slice(json).map_err(|source| Error::Json { file: FILE, source })?;
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
    for added in &file.added_tokens {
        if added.single_word || added.lstrip || added.rstrip {
            return unsupported(format!(
                "the added token {:?} asks for single_word, lstrip or rstrip matching",
                added.content
            ));
        }
    }
    let splitter = splitter_of(file.pre_tokenizer.as_ref())?;
    let normalise = normalises(file.normalizer.as_ref())?;
    let (vocabulary, bpe) = spelled::build(
        FILE,
        model.vocab.0.iter().map(|(token, id)| (&*token.0, *id)),
        model.merges.iter().map(|pair| (Cow::Borrowed(&*pair.0), Cow::Borrowed(&*pair.1))),
    )?;
    // Tokens that only the config knows are added; where both know an id, tokenizer.json decides.
    let from_file =
        file.added_tokens.into_iter().map(|t| AddedToken { id: t.id, text: t.content, special: t.special });
    let added = AddedTokens::new(config.added.iter().cloned().chain(from_file));
    let mut inner = Inner::new(FILE, vocabulary, bpe, splitter, added, config)?;
    inner.normalise = normalise;
    (inner.before, inner.after) = template_around(file.post_processor.as_ref());
    Ok(inner)
}

/// Reads `vocab.json` and `merges.txt`.
pub(super) fn from_vocab_merges(
    vocab: &[u8],
    merges: &[u8],
    config: TokenizerConfig,
) -> Result<Inner, Error> {
    let vocab: Vocab<'_> =
        serde_json::from_slice(vocab).map_err(|source| Error::Json { file: "vocab.json", source })?;
    let text =
        std::str::from_utf8(merges).map_err(|_| Error::tokenizer("merges.txt", "it is not UTF-8 text"))?;
    let header = usize::from(text.starts_with("#version"));
    let lines: Vec<_> = text
        .lines()
        .skip(header)
        .filter(|line| !line.is_empty())
        .map(|line| spelled::merge_of_line("merges.txt", line))
        .collect::<Result<_, _>>()?;
    let (vocabulary, bpe) = spelled::build(
        "vocab.json and merges.txt",
        vocab.0.iter().map(|(token, id)| (&*token.0, *id)),
        lines.into_iter(),
    )?;
    let splitter = match &config.pretokenize_regex {
        Some(pattern) => splitter_for(pattern)?,
        None => Splitter::for_vocabulary(vocabulary.len()),
    };
    let added = if config.added.is_empty() {
        // The three tokens that every release adds, in the order in which all of them do.
        let first = vocabulary.len() as u32;
        AddedTokens::new(
            ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
                .into_iter()
                .zip(first..)
                .map(|(text, id)| AddedToken { id, text: text.to_owned(), special: true }),
        )
    } else {
        AddedTokens::new(config.added.iter().cloned())
    };
    Inner::new("vocab.json", vocabulary, bpe, splitter, added, config)
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
fn splitter_of(pre_tokenizer: Option<&Value>) -> Result<Splitter, Error> {
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
    splitter_for(split["pattern"]["Regex"].as_str().ok_or_else(missing)?)
}

fn splitter_for(pattern: &str) -> Result<Splitter, Error> {
    Splitter::for_pattern(pattern).ok_or_else(|| {
        Error::tokenizer(FILE, format!("it splits text by an expression that no Qwen model uses: {pattern}"))
    })
}

/// The ids that a template post-processor puts before and after one text.
fn template_around(post_processor: Option<&Value>) -> (Vec<u32>, Vec<u32>) {
    let mut around = (Vec::new(), Vec::new());
    let Some(root) = post_processor else {
        return around;
    };
    let single = std::slice::from_ref(root);
    let steps = root["processors"].as_array().map_or(single, Vec::as_slice);
    for step in steps.iter().filter(|step| step["type"] == "TemplateProcessing") {
        let mut side = &mut around.0;
        for part in step["single"].as_array().into_iter().flatten() {
            if part.get("Sequence").is_some() {
                side = &mut around.1;
            } else if let Some(name) = part["SpecialToken"]["id"].as_str() {
                let ids = step["special_tokens"][name]["ids"].as_array().into_iter().flatten();
                side.extend(ids.filter_map(Value::as_u64).filter_map(|id| u32::try_from(id).ok()));
            }
        }
    }
    around
}
