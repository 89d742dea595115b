//! Text to token ids and back, for every file format in which Qwen tokenizers come.

mod added;
mod alphabet;
mod bpe;
mod config;
mod gguf;
mod json;
mod spelled;
mod split;
mod tiktoken;
mod vocabulary;

use std::borrow::Cow;
use std::sync::Arc;

use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

use self::added::AddedTokens;
use self::bpe::Bpe;
pub use self::config::{TemplateUse, TokenizerConfig};
pub use self::gguf::GgufTokenizer;
use self::split::Splitter;
use self::vocabulary::Vocabulary;
use crate::{DecodeStream, Error};

/// What the names of added tokens (`<|im_end|>`, `<think>`, …) mean in a text to be encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Specials {
    /// They are the tokens: for rendered chat templates.
    Parse,
    /// They are ordinary characters: for text that somebody else wrote.
    AsText,
}

/// What happens to special tokens when ids become text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpecialsOut {
    /// They appear by their names.
    Keep,
    /// They are left out. Tool and thinking tags stay: releases do not count them as special.
    Skip,
}

/// A tokenizer. Cloning is cheap.
#[derive(Clone)]
pub struct Tokenizer {
    inner: Arc<Inner>,
}

impl std::fmt::Debug for Tokenizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokenizer").field("tokens", &self.n_tokens()).finish_non_exhaustive()
    }
}

/// A tokenizer's tables.
struct Inner {
    vocabulary: Vocabulary,
    bpe: Bpe,
    splitter: Splitter,
    /// Whether text is brought to NFC.
    normalise: bool,
    added: AddedTokens,
    /// Ids that the post-processor puts around an embedded text.
    before: Vec<u32>,
    after: Vec<u32>,
    config: TokenizerConfig,
}

impl Inner {
    /// Puts the parts together; NFC is on and nothing stands around an embedded text.
    fn new(
        file: &'static str,
        mut vocabulary: Vocabulary,
        bpe: Bpe,
        splitter: Splitter,
        added: AddedTokens,
        config: TokenizerConfig,
    ) -> Result<Self, Error> {
        for token in added.iter() {
            spelled::check_id(file, token.id)?;
            vocabulary.insert(token.id, token.text.as_bytes());
        }
        let (before, after) = (Vec::new(), Vec::new());
        Ok(Self { vocabulary, bpe, splitter, normalise: true, added, before, after, config })
    }

    /// Encodes text that holds no added tokens.
    fn encode_plain(&self, text: &str, out: &mut Vec<u32>) {
        let text = if self.normalise { nfc(text) } else { Cow::Borrowed(text) };
        self.splitter.split(&text, |piece| self.bpe.encode(piece.as_bytes(), out));
    }
}

impl Splitter {
    /// The splitter of a vocabulary of which only the size is known.
    fn for_vocabulary(tokens: usize) -> Self {
        // Qwen1 to Qwen3-Next share 151643 tokens, Qwen3.5 and later 248044.
        if tokens >= 248_044 { Self::LettersAndMarks } else { Self::Letters }
    }
}

/// The text in Unicode normalisation form C.
fn nfc(text: &str) -> Cow<'_, str> {
    if text.is_ascii() || is_nfc_quick(text.chars()) == IsNormalized::Yes {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(text.nfc().collect())
    }
}

impl Tokenizer {
    /// From `tokenizer.json` and, where there is one, `tokenizer_config.json`.
    pub fn from_json(tokenizer_json: &[u8], tokenizer_config_json: Option<&[u8]>) -> Result<Self, Error> {
        let config = read_config(tokenizer_config_json)?;
        Ok(Self::with(json::from_tokenizer_json(tokenizer_json, config)?))
    }

    /// From `vocab.json` and `merges.txt`. Without a config only the three oldest special tokens
    /// are known.
    pub fn from_vocab_merges(
        vocab_json: &[u8],
        merges_txt: &[u8],
        tokenizer_config_json: Option<&[u8]>,
    ) -> Result<Self, Error> {
        let config = read_config(tokenizer_config_json)?;
        Ok(Self::with(json::from_vocab_merges(vocab_json, merges_txt, config)?))
    }

    /// From the metadata of a GGUF file.
    pub fn from_gguf(parts: GgufTokenizer) -> Result<Self, Error> {
        Ok(Self::with(gguf::from_gguf(&parts)?))
    }

    /// From `qwen.tiktoken` of Qwen1.
    pub fn from_tiktoken(qwen_tiktoken: &[u8]) -> Result<Self, Error> {
        Ok(Self::with(tiktoken::from_tiktoken(qwen_tiktoken)?))
    }

    fn with(inner: Inner) -> Self {
        Self { inner: Arc::new(inner) }
    }

    /// The ids of a text. Nothing is added to it.
    pub fn encode(&self, text: &str, specials: Specials) -> Result<Vec<u32>, Error> {
        let mut ids = Vec::with_capacity(text.len() / 3);
        let mut rest = text;
        if specials == Specials::Parse {
            while let Some((at, token)) = self.inner.added.find(rest) {
                self.inner.encode_plain(&rest[..at], &mut ids);
                ids.push(token.id);
                rest = &rest[at + token.text.len()..];
            }
        }
        self.inner.encode_plain(rest, &mut ids);
        Ok(ids)
    }

    /// The ids of a text for an embedding or reranking model: special tokens are parsed, and what
    /// the tokenizer's post-processor asks for is put around it (`<|endoftext|>` at the end).
    pub fn encode_for_embedding(&self, text: &str) -> Result<Vec<u32>, Error> {
        let mut ids = self.inner.before.clone();
        ids.extend(self.encode(text, Specials::Parse)?);
        ids.extend(&self.inner.after);
        Ok(ids)
    }

    /// The text of some ids. Bytes that are no UTF-8 become U+FFFD, ids that name no token nothing.
    #[must_use]
    pub fn decode(&self, ids: &[u32], specials: SpecialsOut) -> String {
        let mut bytes = Vec::new();
        for &id in ids {
            bytes.extend_from_slice(self.output_bytes(id, specials));
        }
        String::from_utf8(bytes)
            .unwrap_or_else(|invalid| String::from_utf8_lossy(invalid.as_bytes()).into_owned())
    }

    /// What a token adds to decoded text.
    pub(crate) fn output_bytes(&self, id: u32, specials: SpecialsOut) -> &[u8] {
        if specials == SpecialsOut::Skip && self.is_special(id) {
            return &[];
        }
        self.inner.vocabulary.get(id).unwrap_or(&[])
    }

    /// The bytes a token stands for, or `None` if no token has this id.
    #[must_use]
    pub fn token_bytes(&self, id: u32) -> Option<Vec<u8>> {
        self.inner.vocabulary.get(id).map(<[u8]>::to_vec)
    }

    /// The id of an added token by its name, or of an ordinary token by its text. Ordinary tokens
    /// are searched one by one.
    #[must_use]
    pub fn id_of(&self, token: &str) -> Option<u32> {
        self.inner.added.id_of(token).or_else(|| self.inner.vocabulary.find(token.as_bytes()))
    }

    /// One more than the highest id. A model's table of embeddings usually has more rows; those
    /// stand for nothing.
    #[must_use]
    pub fn n_tokens(&self) -> usize {
        self.inner.vocabulary.len()
    }

    /// Whether the id is a control token that [`SpecialsOut::Skip`] leaves out.
    #[must_use]
    pub fn is_special(&self, id: u32) -> bool {
        self.inner.added.get(id).is_some_and(|token| token.special)
    }

    /// Whether the id is a token that is matched as a whole string, special or not.
    #[must_use]
    pub fn is_added(&self, id: u32) -> bool {
        self.inner.added.get(id).is_some()
    }

    /// Starts turning ids into text one at a time, without special tokens.
    #[must_use]
    pub fn stream(&self) -> DecodeStream {
        self.stream_with(SpecialsOut::Skip)
    }

    /// Starts turning ids into text one at a time.
    #[must_use]
    pub fn stream_with(&self, specials: SpecialsOut) -> DecodeStream {
        DecodeStream::new(self.clone(), specials)
    }

    /// What `tokenizer_config.json` said; empty if there was none.
    #[must_use]
    pub fn config(&self) -> &TokenizerConfig {
        &self.inner.config
    }
}

fn read_config(json: Option<&[u8]>) -> Result<TokenizerConfig, Error> {
    json.map_or_else(|| Ok(TokenizerConfig::default()), TokenizerConfig::from_json)
}
