//! Tokens beside the vocabulary.

use tokenizers::AddedToken;

/// A token that is matched as a whole string before any merging: `<|im_end|>`, `<think>`, ….
#[derive(Clone, Debug, PartialEq, serde::Deserialize)]
pub(super) struct Added {
    pub(super) id: u32,
    #[serde(flatten)]
    pub(super) token: AddedToken,
}

impl Added {
    pub(super) fn new(id: u32, text: impl Into<String>, special: bool) -> Self {
        Self { id, token: AddedToken::from(text, special).normalized(false) }
    }
}
