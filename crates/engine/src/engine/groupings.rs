//! How the tokens of a step find their experts.

use qwill_kernels::{Grouping, Routing, TopKWeights, Tuning};
use qwill_models::Mixture;

use super::FEW;

/// How the tokens of a plan choose experts.
pub(super) fn routing(mixture: &Mixture) -> Routing {
    Routing {
        n_experts: mixture.experts.len(),
        top_k: mixture.top_k,
        weights: match mixture.weights {
            qwill_models::TopKWeights::Softmax => TopKWeights::Softmax,
            qwill_models::TopKWeights::Renormalised => TopKWeights::Renormalised,
        },
        has_shared_expert: mixture.shared.is_some(),
    }
}

/// How tokens are grouped by expert.
#[derive(Debug, Clone, Copy)]
pub(super) struct Groupings {
    /// In steps of few tokens.
    pub(super) few: Grouping,
    /// In steps of many.
    pub(super) many: Grouping,
}

impl Groupings {
    pub(super) fn new(mixture: &Mixture, chunk: usize, tuning: &Tuning) -> Self {
        let of = |n_tokens| Grouping::new(routing(mixture), n_tokens, tuning);
        Self { few: of(FEW.min(chunk)), many: of(chunk) }
    }
}
