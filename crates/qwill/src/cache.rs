//! The paged key/value cache's bookkeeping: which page belongs to which sequence.

use qwill_kernels::PAGE;
use qwill_models::Rope;

/// Which adapters a text is read with: their numbers, and their scales.
pub(crate) type AdapterSet = Vec<(u64, f32)>;

fn is_same_set(one: &AdapterSet, other: &AdapterSet) -> bool {
    let bits = |&(id, scale): &(u64, f32)| (id, scale.to_bits());
    one.iter().map(bits).eq(other.iter().map(bits))
}

/// Physical pages that no sequence owns.
#[derive(Debug)]
pub(crate) struct PagePool {
    free: Vec<u32>,
}

impl PagePool {
    /// A pool for `context_length` tokens, rounded up to pages.
    pub(crate) fn new(context_length: usize) -> Self {
        Self { free: (0..context_length.div_ceil(PAGE) as u32).rev().collect() }
    }
}

/// Tokens whose keys and values are cached, and the pages that hold them.
#[derive(Debug, Default)]
pub(crate) struct Sequence {
    tokens: Vec<u32>,
    pages: Vec<u32>,
    n_prompt: usize,
    /// What the tokens were read with.
    adapters: AdapterSet,
}

impl Sequence {
    /// Tokens in the cache.
    pub(crate) fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Tokens of the prompt that the cached angles were made for.
    pub(crate) fn n_prompt(&self) -> usize {
        self.n_prompt
    }

    /// What its tokens are read with.
    pub(crate) fn adapters(&self) -> &AdapterSet {
        &self.adapters
    }

    /// Starts on a prompt: keeps what it has in common with the cache, if its keys are turned as `rope` turns those of a
    /// prompt of this length and were made with the same adapters; returns how many tokens that are.
    pub(crate) fn start(
        &mut self,
        prompt: &[u32],
        rope: &Rope,
        adapters: &AdapterSet,
        pool: &mut PagePool,
    ) -> usize {
        let is_same = rope.prompt_class(prompt.len()) == rope.prompt_class(self.n_prompt)
            && is_same_set(&self.adapters, adapters);
        let kept = if is_same { self.common_prefix(prompt) } else { 0 };
        self.truncate(kept, pool);
        self.n_prompt = prompt.len();
        self.adapters.clone_from(adapters);
        kept
    }

    /// Pages in logical order.
    pub(crate) fn pages(&self) -> &[u32] {
        &self.pages
    }

    /// Notes that a token's keys and values are in the cache.
    pub(crate) fn push(&mut self, tokens: &[u32]) {
        self.tokens.extend_from_slice(tokens);
    }

    /// How many tokens of `prompt` are cached already. The last one never counts: its logits are wanted.
    fn common_prefix(&self, prompt: &[u32]) -> usize {
        let same = self.tokens.iter().zip(prompt).take_while(|(a, b)| a == b).count();
        same.min(prompt.len().saturating_sub(1))
    }

    /// Forgets everything past the first `n` tokens and returns the pages that become free.
    pub(crate) fn truncate(&mut self, n: usize, pool: &mut PagePool) {
        self.tokens.truncate(n);
        pool.free.extend(self.pages.drain(n.div_ceil(PAGE).min(self.pages.len())..).rev());
    }

    /// Makes room for `n` tokens in all; the new pages, or `None` when the pool is too small.
    pub(crate) fn reserve(&mut self, n: usize, pool: &mut PagePool) -> Option<&[u32]> {
        let first = self.pages.len();
        let missing = n.div_ceil(PAGE).saturating_sub(first);
        if missing > pool.free.len() {
            return None;
        }
        let at = pool.free.len() - missing;
        self.pages.extend(pool.free.drain(at..).rev());
        Some(&self.pages[first..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_come_back() {
        let mut pool = PagePool::new(100);
        assert_eq!(pool.free.len(), 4);
        let mut sequence = Sequence::default();
        assert_eq!(sequence.reserve(33, &mut pool), Some(&[0, 1][..]));
        assert_eq!(sequence.reserve(64, &mut pool), Some(&[][..]));
        assert_eq!(sequence.reserve(129, &mut pool), None);
        assert_eq!(sequence.pages(), [0, 1]);
        sequence.push(&[1, 2, 3]);
        assert_eq!(sequence.common_prefix(&[1, 2, 4, 5]), 2);
        assert_eq!(sequence.common_prefix(&[1, 2, 3]), 2);
        sequence.truncate(0, &mut pool);
        assert_eq!((sequence.len(), sequence.pages().len()), (0, 0));
        assert_eq!(sequence.reserve(100, &mut pool).map(<[u32]>::len), Some(4));
    }
}
