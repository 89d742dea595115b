//! Tokens that are matched as whole strings before any merging: `<|im_end|>`, `<think>`, ….

use rustc_hash::FxHashMap;

/// One such token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct AddedToken {
    pub(super) id: u32,
    pub(super) text: String,
    /// Left out when decoding with [`SpecialsOut::Skip`](super::SpecialsOut::Skip).
    pub(super) special: bool,
}

/// The added tokens of a tokenizer, ready to be found in text.
pub(super) struct AddedTokens {
    tokens: Vec<AddedToken>,
    by_id: FxHashMap<u32, usize>,
    /// Per first byte the indices of the tokens that begin with it, longest first.
    by_first_byte: FxHashMap<u8, Vec<usize>>,
}

impl AddedTokens {
    /// Takes the tokens; of two with one id the later wins.
    pub(super) fn new(tokens: impl IntoIterator<Item = AddedToken>) -> Self {
        let mut kept: Vec<AddedToken> = Vec::new();
        let mut by_id = FxHashMap::default();
        for token in tokens {
            if token.text.is_empty() {
                continue;
            }
            match by_id.get(&token.id) {
                Some(&at) => kept[at] = token,
                None => {
                    by_id.insert(token.id, kept.len());
                    kept.push(token);
                }
            }
        }
        let mut by_first_byte: FxHashMap<u8, Vec<usize>> = FxHashMap::default();
        for (at, token) in kept.iter().enumerate() {
            by_first_byte.entry(token.text.as_bytes()[0]).or_default().push(at);
        }
        for indices in by_first_byte.values_mut() {
            indices.sort_by_key(|&at| std::cmp::Reverse(kept[at].text.len()));
        }
        Self { tokens: kept, by_id, by_first_byte }
    }

    pub(super) fn get(&self, id: u32) -> Option<&AddedToken> {
        self.by_id.get(&id).map(|&at| &self.tokens[at])
    }

    pub(super) fn id_of(&self, text: &str) -> Option<u32> {
        self.tokens.iter().find(|t| t.text == text).map(|t| t.id)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &AddedToken> {
        self.tokens.iter()
    }

    /// The first token in `text` (the longest one at that place): its start and itself.
    pub(super) fn find(&self, text: &str) -> Option<(usize, &AddedToken)> {
        if self.tokens.is_empty() {
            return None;
        }
        text.bytes().enumerate().find_map(|(at, byte)| {
            let candidates = self.by_first_byte.get(&byte)?;
            let rest = &text.as_bytes()[at..];
            candidates
                .iter()
                .map(|&index| &self.tokens[index])
                .find(|token| rest.starts_with(token.text.as_bytes()))
                .map(|token| (at, token))
        })
    }
}
