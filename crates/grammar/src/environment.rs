//! A vocabulary for llguidance.

use llguidance::toktrie::{TokRxInfo, TokTrie, TokenId, TokenizerEnv};

use crate::vocabulary::SPECIAL_MARKER;
use crate::{Encode, Vocabulary};

const _: () = assert!(SPECIAL_MARKER == TokTrie::SPECIAL_TOKEN_MARKER, "llguidance has another marker");

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
