//! What a model writes with.

use llguidance::toktrie::{TokRxInfo, TokTrie, TokenId, TokenizerEnv};

/// From bytes to tokens.
pub type Encode = Box<dyn Fn(&[u8]) -> Vec<u32> + Send + Sync>;

/// A model's tokens.
pub struct Vocabulary {
    /// The bytes of each by its id; for tokens that stand for more than their name, what [`Self::special`] makes of it.
    pub tokens: Vec<Vec<u8>>,
    /// Those that end a text; at least one.
    pub ends: Vec<u32>,
    /// The tokens that the model's tokenizer makes of bytes.
    pub encode: Encode,
}

impl Vocabulary {
    /// A token that is never written as text, such as `<|im_end|>`: grammars name it without quotes.
    pub fn special(name: &str) -> Vec<u8> {
        [&[TokTrie::SPECIAL_TOKEN_MARKER], name.as_bytes()].concat()
    }
}

/// A vocabulary as llguidance wants it.
pub(crate) struct Environment {
    trie: TokTrie,
    encode: Encode,
}

impl Environment {
    pub(crate) fn new(vocabulary: Vocabulary) -> Option<Self> {
        let Vocabulary { tokens, ends, encode } = vocabulary;
        let info = TokRxInfo::new(tokens.len() as u32, *ends.first()?);
        let trie = TokTrie::from(&info, &tokens).with_eos_tokens(&ends);
        Some(Self { trie, encode })
    }
}

impl TokenizerEnv for Environment {
    fn tok_trie(&self) -> &TokTrie {
        &self.trie
    }

    fn tokenize_bytes(&self, bytes: &[u8]) -> Vec<TokenId> {
        (self.encode)(bytes)
    }
}
