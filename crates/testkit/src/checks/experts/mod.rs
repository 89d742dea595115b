//! The kernels of mixture-of-experts layers against their CPU twins and the vector T-06 of the specification.
//!
//! Errors are relative to the magnitude of what is summed. Worst seen on llvmpipe: route_experts 1.4e-7, gemv_experts
//! 7.8e-8, gemm_experts 1.4e-7, combine_experts 1.9e-7; experts, tiles and assignments are exact.

mod groups;
mod layers;
mod matrices;
mod random;
mod routes;
mod sums;
mod vectors;
mod weights;

pub(super) use groups::groups;
pub(super) use layers::layers;
pub(super) use matrices::matrices;
pub use random::{chosen, random_routes};
pub(super) use routes::routes;
pub(super) use sums::sums;
pub(super) use vectors::vectors;

use qwill_kernels::{EpilogueKind, ExpertRows, Grouping, Routing, RowOrder, TopKWeights, Tuning};
use qwill_weights::Layout;

use super::released::{LARGE_MIXTURE, MIXTURES, Mixture};
use crate::Depth;

/// Some shapes of routing: (experts, chosen ones, has a shared expert, experts in a shard).
const ROUTINGS: [(usize, usize, bool, usize); 6] = [
    (16, 4, false, 5),
    (60, 8, true, 60),
    (1, 1, false, 1),
    (7, 2, true, 1),
    (128, 8, false, 50),
    (5, 5, true, 2),
];

fn routing((n_experts, top_k, has_shared_expert, _): (usize, usize, bool, usize)) -> Routing {
    Routing { n_experts, top_k, weights: TopKWeights::Softmax, has_shared_expert }
}

/// Order of the matrix, rows and epilogue of everything that a layer with an adapter does.
const FORMS: [(RowOrder, ExpertRows, EpilogueKind); 6] = [
    (RowOrder::GateUp, ExpertRows::Spread, EpilogueKind::SiluMul),
    (RowOrder::Plain, ExpertRows::Gather, EpilogueKind::Add),
    (RowOrder::GateUp, ExpertRows::Spread, EpilogueKind::Store),
    (RowOrder::Plain, ExpertRows::Spread, EpilogueKind::StoreScaled),
    (RowOrder::Plain, ExpertRows::Slots, EpilogueKind::StoreScaled),
    (RowOrder::Plain, ExpertRows::Slots, EpilogueKind::Add),
];

/// One layout after the other of those that the matrix of an epilogue may have. What scales belongs to adapters: its two
/// buffers of factors leave room for no more than their one stream of weights.
fn layout_for(epilogue: EpilogueKind, at: usize) -> Layout {
    let adapters = [Layout::F32, Layout::F16, Layout::BF16];
    let all = if epilogue == EpilogueKind::StoreScaled { &adapters[..] } else { &Layout::ALL };
    all[at % all.len()]
}

/// Tokens of a step by expert.
#[derive(Debug, Clone, Copy)]
struct Batch {
    grouping: Grouping,
    /// Tokens that the step has.
    n_tokens: usize,
    /// Experts that get any.
    n_used: usize,
}

/// Small steps: tiles of 16 and of 64; whole, short and single ones; all tokens to the same experts.
fn small_batches(depth: Depth) -> Vec<Batch> {
    let mut batches = Vec::new();
    for (at, case) in ROUTINGS.into_iter().enumerate() {
        let routing = routing(case);
        let (few, all) = (routing.top_k, routing.n_experts);
        for (n_tokens, max_tokens, n_used) in
            [(1, 1, all), (17, 40, few), (130, 130, all), (33, 300, all.div_ceil(2).max(few)), (64, 600, few)]
        {
            batches.push((
                at + n_tokens,
                Batch { grouping: Grouping::new(routing, max_tokens, &Tuning::default()), n_tokens, n_used },
            ));
        }
    }
    batches.retain(|(i, _)| depth == Depth::Full || i % 5 == 0);
    batches.into_iter().map(|(_, batch)| batch).collect()
}

/// A step of a released mixture, whose experts may all get tokens.
fn released_batch(mixture: &Mixture, n_tokens: usize, max_tokens: usize) -> Batch {
    let routing = mixture.routing;
    Batch {
        grouping: Grouping::new(routing, max_tokens, &Tuning::default()),
        n_tokens,
        n_used: routing.n_experts,
    }
}

/// Small steps, or the tokens of a chunk, and fewer, in every released mixture.
fn batches(depth: Depth) -> Vec<Batch> {
    match depth {
        Depth::Full | Depth::Slice => small_batches(depth),
        Depth::Quick => vec![released_batch(&MIXTURES[0], 9, 64), released_batch(&MIXTURES[0], 130, 512)],
        Depth::Real => MIXTURES
            .iter()
            .chain([&LARGE_MIXTURE])
            .flat_map(|mixture| {
                [(512, 512), (100, 512), (7, 16)].map(|(n, max)| released_batch(mixture, n, max))
            })
            .collect(),
    }
}
