//! Sizes of the released models, the most common ones first.

use qwill_kernels::{Routing, TopKWeights};
use qwill_weights::Layout;

/// (n_heads, n_kv_heads, head_dim) of every released model.
pub(super) const HEADS: [(usize, usize, usize); 17] = [
    (16, 8, 128),
    (32, 8, 128),
    (14, 2, 64),
    (12, 2, 128),
    (28, 4, 128),
    (16, 2, 128),
    (40, 8, 128),
    (32, 4, 128),
    (64, 8, 128),
    (64, 4, 128),
    (16, 16, 64),
    (16, 16, 128),
    (32, 32, 128),
    (40, 40, 128),
    (20, 20, 128),
    (64, 64, 128),
    (96, 8, 128),
];

/// Sizes of the layers of a mixture of experts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mixture {
    pub(super) routing: Routing,
    pub(super) hidden_size: usize,
    /// Inner width of an expert.
    pub(super) intermediate_size: usize,
}

const fn mixture(
    (n_experts, top_k): (usize, usize),
    (hidden_size, intermediate_size): (usize, usize),
    weights: TopKWeights,
    has_shared_expert: bool,
) -> Mixture {
    let routing = Routing { n_experts, top_k, weights, has_shared_expert };
    Mixture { routing, hidden_size, intermediate_size }
}

/// Every released mixture that a gigabyte holds a layer of in 4 bits.
pub(super) const MIXTURES: [Mixture; 5] = [
    mixture((128, 8), (2048, 768), TopKWeights::Renormalised, false),
    mixture((60, 4), (2048, 1408), TopKWeights::Softmax, true),
    mixture((64, 8), (3584, 2560), TopKWeights::Softmax, true),
    mixture((128, 8), (4096, 1536), TopKWeights::Renormalised, false),
    mixture((512, 10), (2048, 512), TopKWeights::Renormalised, true),
];

/// The released mixture that is larger; its routing is checked, its weights are not.
pub(super) const LARGE_MIXTURE: Mixture = mixture((160, 8), (6144, 2560), TopKWeights::Renormalised, false);

/// Layouts that most files come in; the others follow in the order of [`Layout::ALL`].
pub(super) const COMMON_LAYOUTS: [Layout; 4] = [Layout::Q4, Layout::Q4K, Layout::Q8, Layout::BF16];

/// Ids of most vocabularies, with the padding of the output matrix.
pub(super) const VOCABULARY: usize = 151_936;

/// Distinct rows of a large matrix: a prime, so that rows which a kernel confuses differ.
pub(super) const DISTINCT_ROWS: usize = 61;
/// The same for gate and up, which go together by 32 rows. Experts of the released sizes start in different ones.
pub(super) const DISTINCT_GATE_UP_ROWS: usize = 7 * 32;

/// Every layout, the most common ones first.
pub(super) fn layouts() -> impl Iterator<Item = Layout> {
    let others = Layout::ALL.into_iter().filter(|layout| !COMMON_LAYOUTS.contains(layout));
    COMMON_LAYOUTS.into_iter().chain(others)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use qwill_models::{plan, published_shapes};

    use super::*;

    #[test]
    fn every_released_model_has_its_heads_and_experts_checked() {
        let plans: Vec<_> =
            published_shapes().iter().map(|shape| plan(&shape.config).expect("a plan")).collect();
        let heads: BTreeSet<_> =
            plans.iter().map(|p| (p.dims.n_heads, p.dims.n_kv_heads, p.dims.head_dim)).collect();
        assert_eq!(BTreeSet::from(HEADS), heads);
        let mixtures: BTreeSet<_> = plans
            .iter()
            .filter_map(|plan| plan.mixtures().next().map(|mixture| (plan.dims.hidden_size, mixture)))
            .map(|(hidden_size, m)| {
                let routing = (m.experts.len(), m.top_k, m.shared.is_some());
                (routing, hidden_size, m.intermediate_size)
            })
            .collect();
        let checked: BTreeSet<_> = MIXTURES
            .iter()
            .chain([&LARGE_MIXTURE])
            .map(|&Mixture { routing: r, hidden_size, intermediate_size }| {
                ((r.n_experts, r.top_k, r.has_shared_expert), hidden_size, intermediate_size)
            })
            .collect();
        assert!(checked.is_superset(&mixtures), "{:?}", mixtures.difference(&checked));
    }
}
