//! The bytes of every token, in one block of memory.

/// Token id → bytes. Ids may have gaps.
#[derive(Default)]
pub(super) struct Vocabulary {
    bytes: Vec<u8>,
    /// `spans[id]` is the start of the token in `bytes`, or [`GAP`]; its end is `ends[id]`.
    spans: Vec<(u32, u32)>,
}

/// Start of an id that names no token.
const GAP: u32 = u32::MAX;

impl Vocabulary {
    /// Sets the bytes of a token, unless the id is taken.
    pub(super) fn insert(&mut self, id: u32, bytes: &[u8]) {
        let at = id as usize;
        if self.spans.len() <= at {
            self.spans.resize(at + 1, (GAP, GAP));
        }
        if self.spans[at].0 == GAP {
            let start = self.bytes.len() as u32;
            self.bytes.extend_from_slice(bytes);
            self.spans[at] = (start, self.bytes.len() as u32);
        }
    }

    /// One more than the highest id.
    pub(super) fn len(&self) -> usize {
        self.spans.len()
    }

    pub(super) fn get(&self, id: u32) -> Option<&[u8]> {
        let &(start, end) = self.spans.get(id as usize)?;
        (start != GAP).then(|| &self.bytes[start as usize..end as usize])
    }

    /// The token with exactly these bytes.
    pub(super) fn find(&self, bytes: &[u8]) -> Option<u32> {
        (0..self.spans.len() as u32).find(|&id| self.get(id) == Some(bytes))
    }
}
