//! Text to token ids and back, for every file format in which Qwen tokenizers come.

mod added;
mod alphabet;
mod chunks;
mod config;
mod gguf;
mod json;
mod names;
mod parts;
mod tiktoken;

use std::sync::Arc;

use tokenizers::{
    AddedVocabulary, Encoding, Model as _, OffsetType, PreTokenizer as _, SplitDelimiterBehavior, Token,
};

use self::chunks::Chunks;
pub use self::config::{TemplateUse, TokenizerConfig};
pub use self::gguf::GgufTokenizer;
pub(crate) use self::names::{GUARD, Names, TypedNames};
use self::parts::Parts;
use crate::Error;

/// What the names of added tokens (`<|im_end|>`, `<think>`, …) mean in a text to be encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Specials {
    /// They are the tokens: for rendered chat templates.
    Parse,
    /// They are the tokens unless [`ChatInput::guard_specials`](crate::ChatInput::guard_specials)
    /// has marked them: for templates that were rendered with text of other people.
    ParseUnguarded,
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

struct Inner {
    library: tokenizers::Tokenizer,
    /// One more than the highest id.
    n_tokens: usize,
    /// How text is cut into words.
    pattern: &'static str,
    typed_names: TypedNames,
    config: TokenizerConfig,
}

impl Tokenizer {
    /// From `tokenizer.json` and, where there is one, `tokenizer_config.json`.
    pub fn from_json(tokenizer_json: &[u8], tokenizer_config_json: Option<&[u8]>) -> Result<Self, Error> {
        let config = read_config(tokenizer_config_json)?;
        Self::with(json::from_tokenizer_json(tokenizer_json, config)?)
    }

    /// From `vocab.json` and `merges.txt`. Without a config only the three oldest special tokens
    /// are known.
    pub fn from_vocab_merges(
        vocab_json: &[u8],
        merges_txt: &[u8],
        tokenizer_config_json: Option<&[u8]>,
    ) -> Result<Self, Error> {
        let config = read_config(tokenizer_config_json)?;
        Self::with(json::from_vocab_merges(vocab_json, merges_txt, config)?)
    }

    /// From the metadata of a GGUF file.
    pub fn from_gguf(parts: GgufTokenizer) -> Result<Self, Error> {
        Self::with(gguf::from_gguf(parts)?)
    }

    /// What a GGUF file says of this tokenizer, with a token for each of `n_rows` embeddings.
    pub fn to_gguf(&self, n_rows: usize) -> Result<GgufTokenizer, Error> {
        gguf::to_gguf(self, n_rows)
    }

    /// From `qwen.tiktoken` of Qwen1.
    ///
    /// The file lists no special tokens. Qwen1's own code always has 208 of them, of which a small
    /// table of embeddings may hold only the first; the `<|extra_…|>` tokens beyond `n_rows`, where
    /// that is known, are left out.
    pub fn from_tiktoken(qwen_tiktoken: &[u8], n_rows: Option<usize>) -> Result<Self, Error> {
        Self::with(tiktoken::from_tiktoken(qwen_tiktoken, n_rows)?)
    }

    fn with(parts: Parts) -> Result<Self, Error> {
        Ok(Self { inner: Arc::new(parts.assemble()?) })
    }

    /// The ids of a text. Nothing is added to it.
    pub fn encode(&self, text: &str, specials: Specials) -> Result<Vec<u32>, Error> {
        self.inner.encode(text, specials).map_err(|error| Error::Encode(error.to_string()))
    }

    /// The ids of a text for an embedding or reranking model: special tokens are parsed, and what
    /// the tokenizer's post-processor asks for is put around it (`<|endoftext|>` at the end).
    pub fn encode_for_embedding(&self, text: &str) -> Result<Vec<u32>, Error> {
        let ids = self.encode(text, Specials::Parse)?;
        self.inner.post_process(ids).map_err(|error| Error::Encode(error.to_string()))
    }

    /// The text of some ids. Bytes that are no UTF-8 become U+FFFD, ids that name no token nothing.
    #[must_use]
    pub fn decode(&self, ids: &[u32], specials: SpecialsOut) -> String {
        let mut bytes = Vec::new();
        for &id in ids {
            bytes.extend(self.output_bytes(id, specials));
        }
        String::from_utf8(bytes)
            .unwrap_or_else(|invalid| String::from_utf8_lossy(invalid.as_bytes()).into_owned())
    }

    /// What a token adds to decoded text.
    pub(crate) fn output_bytes(&self, id: u32, specials: SpecialsOut) -> Vec<u8> {
        if specials == SpecialsOut::Skip && self.is_special(id) {
            return Vec::new();
        }
        self.token_bytes(id).unwrap_or_default()
    }

    /// The bytes a token stands for, or `None` if no token has this id.
    #[must_use]
    pub fn token_bytes(&self, id: u32) -> Option<Vec<u8>> {
        match self.added(id) {
            Some(token) => Some(token.content.clone().into_bytes()),
            None => self.inner.library.get_model().id_to_token(id).map(|token| alphabet::bytes_of(&token)),
        }
    }

    fn added(&self, id: u32) -> Option<&tokenizers::AddedToken> {
        self.inner.library.get_added_vocabulary().get_added_tokens_decoder().get(&id)
    }

    /// The id of an added token by its name, or of an ordinary token by its text.
    #[must_use]
    pub fn id_of(&self, token: &str) -> Option<u32> {
        let added = self.inner.library.get_added_vocabulary().get_vocab().get(token).copied();
        added.or_else(|| self.inner.library.get_model().token_to_id(&alphabet::spell(token.as_bytes())))
    }

    /// One more than the highest id. A model's table of embeddings usually has more rows; those
    /// stand for nothing.
    #[must_use]
    pub fn n_tokens(&self) -> usize {
        self.inner.n_tokens
    }

    /// Whether the id is a control token that [`SpecialsOut::Skip`] leaves out.
    #[must_use]
    pub fn is_special(&self, id: u32) -> bool {
        self.added(id).is_some_and(|token| token.special)
    }

    /// The names of added tokens, to be found in what somebody typed.
    pub(crate) fn typed_names(&self) -> &TypedNames {
        &self.inner.typed_names
    }

    /// Whether the id is a token that is matched as a whole string, special or not.
    #[must_use]
    pub fn is_added(&self, id: u32) -> bool {
        self.added(id).is_some()
    }

    /// What `tokenizer_config.json` said; empty if there was none.
    #[must_use]
    pub fn config(&self) -> &TokenizerConfig {
        &self.inner.config
    }
}

impl Inner {
    /// The steps of the library's own `encode`, one by one, because it always parses those added
    /// tokens that are not special and because its expressions fail at too much white space.
    fn encode(&self, text: &str, specials: Specials) -> tokenizers::Result<Vec<u32>> {
        let nothing = AddedVocabulary::new();
        let added = match specials {
            Specials::Parse | Specials::ParseUnguarded => self.library.get_added_vocabulary(),
            Specials::AsText => &nothing,
        };
        let mut pieces = added.extract_and_normalize(self.library.get_normalizer(), text);
        if specials == Specials::ParseUnguarded && text.contains(GUARD) {
            pieces.normalize(|text| {
                text.filter(|c| c != GUARD);
                Ok(())
            })?;
        }
        if Chunks::needed_for(text) {
            pieces.split(|_, text| text.split(Chunks, SplitDelimiterBehavior::Isolated))?;
        }
        if let Some(words) = self.library.get_pre_tokenizer() {
            words.pre_tokenize(&mut pieces)?;
        }
        pieces.tokenize(|word| self.library.get_model().tokenize(word.get()))?;
        Ok(pieces.into_encoding(None, 0, OffsetType::None)?.get_ids().to_vec())
    }

    /// Lets the post-processor put its tokens around some ids.
    fn post_process(&self, ids: Vec<u32>) -> tokenizers::Result<Vec<u32>> {
        let tokens = ids.into_iter().map(|id| Token::new(id, String::new(), (0, 0))).collect();
        let encoding = self.library.post_process(Encoding::from_tokens(tokens, 0), None, true)?;
        Ok(encoding.get_ids().to_vec())
    }
}

fn read_config(json: Option<&[u8]>) -> Result<TokenizerConfig, Error> {
    json.map_or_else(|| Ok(TokenizerConfig::default()), TokenizerConfig::from_json)
}
