//! What rotation and attention cost.

use super::splits_of;
use crate::step::SpanShape;
use crate::{Attend, Cost, Rotate, StepShape, Visibility};

impl Rotate {
    /// Cost for each token.
    pub(super) fn cost(&self, qk_norm: bool) -> Cost {
        let Self { n_heads, n_kv_heads, head_dim, rotary_dim, rows, kv, .. } = *self;
        let projected = (n_heads + 2 * n_kv_heads) * head_dim;
        let queries = rows.n_queries * n_heads * head_dim;
        let angles = rows.per_position * rotary_dim;
        let rotation = 3 * (rows.n_queries * n_heads + n_kv_heads) * rotary_dim;
        let norm = if qk_norm { 4 * (n_heads + n_kv_heads) * head_dim } else { 0 };
        Cost::floats(projected + angles + queries, rotation + norm)
            + Cost::bytes(2 * n_kv_heads * kv.vector_bytes(head_dim))
    }
}

impl Visibility {
    /// Keys that at least one token of a span sees.
    fn keys(self, span: SpanShape) -> usize {
        let n_kv = span.n_kv as usize;
        match self {
            Self::Window(window) => n_kv.min(window + span.n_tokens as usize - 1),
            Self::Causal | Self::DualChunks(_) | Self::Bidirectional => n_kv,
        }
    }

    /// Keys that each token of a span sees, added up.
    fn pairs(self, span: SpanShape) -> usize {
        let (n_tokens, n_kv) = (span.n_tokens as usize, span.n_kv as usize);
        let first = n_kv - n_tokens;
        // tokens that see all before them, and themselves
        let (unbounded, window) = match self {
            Self::Bidirectional => return n_tokens * n_kv,
            Self::Window(window) => (window.saturating_sub(first).min(n_tokens), window),
            Self::Causal | Self::DualChunks(_) => (n_tokens, 0),
        };
        unbounded * first + unbounded * (unbounded + 1) / 2 + (n_tokens - unbounded) * window
    }
}

impl Attend {
    /// Cost of the queries, keys and values of a span, and of the products with them.
    fn scan(&self, span: SpanShape) -> Cost {
        let Self { n_heads, n_kv_heads, head_dim, visibility, kv } = *self;
        let queries = span.n_tokens as usize * visibility.n_queries() * n_heads * head_dim;
        let flops = 4 * n_heads * head_dim * visibility.pairs(span);
        let cache = 2 * n_kv_heads * kv.vector_bytes(head_dim) * visibility.keys(span);
        Cost::floats(queries, flops) + Cost::bytes(cache)
    }

    /// Unfinished sums, maxima and masses of decode, written or read.
    fn partial(&self, n_splits: u32) -> Cost {
        Cost::floats(n_splits as usize * self.n_heads * (self.head_dim + 2), 0)
    }

    /// Cost of decode's first launch, in at most so many splits.
    pub(super) fn decode_cost(&self, step: &StepShape, max_splits: u32) -> Cost {
        let cost = |&span: &SpanShape| self.scan(span) + self.partial(splits_of(span.n_kv, max_splits));
        step.singles().iter().map(cost).sum()
    }

    /// Cost of merging at most so many splits.
    pub(super) fn merge_cost(&self, step: &StepShape, max_splits: u32) -> Cost {
        let width = self.n_heads * self.head_dim;
        let n_splits = step.singles().iter().map(|span| splits_of(span.n_kv, max_splits));
        n_splits.map(|n| self.partial(n) + Cost::floats(width, 2 * n as usize * width)).sum()
    }

    /// Cost of spans of many tokens.
    pub(super) fn prefill_cost(&self, step: &StepShape) -> Cost {
        let width = self.n_heads * self.head_dim;
        let cost = |&span: &SpanShape| self.scan(span) + Cost::floats(span.n_tokens as usize * width, 0);
        step.longer().iter().map(cost).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::KvType;

    #[test]
    fn every_key_that_a_token_sees_counts() {
        for visibility in [
            Visibility::Causal,
            Visibility::DualChunks(8),
            Visibility::Window(1),
            Visibility::Window(5),
            Visibility::Window(12),
            Visibility::Bidirectional,
        ] {
            for (n_tokens, n_kv) in [(1, 1), (1, 9), (4, 4), (4, 9), (9, 20), (20, 20)] {
                let sees = |query: usize, key: usize| match visibility {
                    Visibility::Bidirectional => true,
                    Visibility::Window(window) => key <= query && key + window > query,
                    Visibility::Causal | Visibility::DualChunks(_) => key <= query,
                };
                let queries = || n_kv - n_tokens..n_kv;
                let pairs: usize =
                    queries().map(|query| (0..n_kv).filter(|&key| sees(query, key)).count()).sum();
                let keys = (0..n_kv).filter(|&key| queries().any(|query| sees(query, key))).count();
                let span = SpanShape { n_tokens: n_tokens as u32, n_kv: n_kv as u32 };
                assert_eq!(visibility.pairs(span), pairs, "{visibility:?} {n_tokens} of {n_kv}");
                assert_eq!(visibility.keys(span), keys, "{visibility:?} {n_tokens} of {n_kv}");
            }
        }
    }

    #[test]
    fn attention_costs_what_one_counts_by_hand() {
        let attend = Attend {
            n_heads: 4,
            n_kv_heads: 2,
            head_dim: 8,
            visibility: Visibility::Causal,
            kv: KvType::F16,
        };
        let step = StepShape::of_one(1, 10, 1, 16);
        // 32 floats of queries, 10 keys and values of 2 heads in f16, a split of (32 + 8) floats
        assert_eq!(
            attend.decode_cost(&step, 2),
            Cost { bytes: 32 * 4 + 10 * 2 * 2 * 8 * 2 + 40 * 4, flops: 10 * 4 * 8 * 4 }
        );
        let two_blocks = StepShape::of_one(1, 100, 1, 16);
        assert_eq!(attend.merge_cost(&two_blocks, 2), Cost { bytes: 2 * 40 * 4 + 32 * 4, flops: 2 * 32 * 2 });
        let step = StepShape::of_one(3, 3, 0, 16);
        assert_eq!(
            attend.prefill_cost(&step),
            Cost { bytes: 2 * 3 * 32 * 4 + 3 * 2 * 2 * 8 * 2, flops: 6 * 4 * 8 * 4 }
        );
    }
}
