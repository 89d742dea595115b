//! Bytes of every buffer of an engine but its weights and its cache, before any is made.

use qwill_kernels::{
    DrawClass, GEMM_MAX_TILE_M, Grouping, LogitBias, PAGE, Routing, SamplerSettings, TopKWeights, Tuning,
    align_row, step_words,
};
use qwill_models::step::MAX_BIASES;
use qwill_models::{Mixture, Plan, Rope};

use super::pending::Staging;
use super::{EngineOptions, FEW, MAX_OUTPUTS, MAX_STEPS};

/// What a buffer is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Activations of a step.
    Activations,
    /// Activations of mixtures of experts.
    Experts,
    /// Logits or scores, and what they are made from.
    Outputs,
    /// What steers a step: its words with the cosines and sines of positions, sampling, splits of attention.
    Steering,
}

/// A buffer that is to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) label: &'static str,
    pub(crate) purpose: Purpose,
    pub(crate) bytes: u64,
}

/// The one place that knows how large buffers are: what makes them and what plans memory look here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Sizes(Vec<Size>);

impl Sizes {
    /// Of an engine whose positions are `rope`, which may differ from the plan's for a shorter context.
    pub(crate) fn new(plan: &Plan, rope: &Rope, options: EngineOptions, tuning: &Tuning) -> Self {
        let mut sizes = Self::default();
        sizes.add_activations(plan, rope, options.chunk);
        if let Some(mixture) = plan.mixtures().next() {
            sizes.add_mixture(plan, mixture, options.chunk, tuning);
        }
        sizes.add_steering(plan, rope, options, tuning);
        sizes
    }

    fn add_activations(&mut self, plan: &Plan, rope: &Rope, chunk: usize) {
        let dims = &plan.dims;
        let rows = whole_tiles(chunk);
        let heads = dims.n_heads * dims.head_dim;
        self.add(Purpose::Activations, "hidden states", matrix_bytes(rows, dims.hidden_size));
        self.add(Purpose::Activations, "normalised states", matrix_bytes(rows, dims.hidden_size));
        let qkv = heads + 2 * dims.n_kv_heads * dims.head_dim;
        self.add(Purpose::Activations, "projected heads", matrix_bytes(rows, qkv));
        self.add(Purpose::Activations, "queries", matrix_bytes(rows * rope.rows().n_queries, heads));
        self.add(Purpose::Activations, "attention output", matrix_bytes(rows, heads));
        self.add(Purpose::Activations, "feed-forward states", matrix_bytes(rows, dims.intermediate_size));

        let outputs = whole_tiles(MAX_OUTPUTS);
        let inner = plan.head.layers.iter().rev().skip(1).map(|layer| layer.weight.n_rows()).max();
        self.add(Purpose::Outputs, "output states", matrix_bytes(outputs, dims.hidden_size));
        self.add(Purpose::Outputs, "inner output states", matrix_bytes(outputs, inner.unwrap_or(1)));
        self.add(Purpose::Outputs, "outputs", matrix_bytes(outputs, plan.head.width(dims)));
    }

    /// Room for the mixtures of a plan, which are all of one shape.
    fn add_mixture(&mut self, plan: &Plan, mixture: &Mixture, chunk: usize, tuning: &Tuning) {
        let routing = routing(mixture);
        let assignments = chunk * routing.top_k;
        let (few, many) = groupings(mixture, chunk, tuning);
        for (label, bytes) in [
            ("router logits", matrix_bytes(whole_tiles(chunk), routing.n_logits())),
            ("routes", whole_tiles(chunk) * routing.n_slots() * 8),
            ("expert states", matrix_bytes(assignments, mixture.intermediate_size)),
            ("expert outputs", matrix_bytes(assignments, plan.dims.hidden_size)),
            ("few tokens by expert", few.assignments_bytes()),
            ("tiles of few tokens by expert", few.tiles_bytes()),
            ("tokens by expert", many.assignments_bytes()),
            ("tiles of tokens by expert", many.tiles_bytes()),
        ] {
            self.add(Purpose::Experts, label, bytes);
        }
    }

    fn add_steering(&mut self, plan: &Plan, rope: &Rope, options: EngineOptions, tuning: &Tuning) {
        let dims = &plan.dims;
        let EngineOptions { context_length, n_slots, chunk, .. } = options;
        let splits = n_slots * dims.n_heads * max_splits(plan, context_length, tuning);
        let pages = n_slots * context_length.div_ceil(PAGE);
        let angles = rope.rows().per_position * rope.rotary_dim;
        let page = 2 * dims.n_layers * layer_page_bytes(plan, options);
        for (label, bytes) in [
            ("step", step_words(chunk, n_slots, MAX_OUTPUTS, pages, angles) * 4),
            ("next tokens", n_slots * 4),
            ("drawn tokens", Staging::BYTES),
            ("tokens on their way back", MAX_STEPS * Staging::BYTES),
            ("sampler settings", n_slots * size_of::<SamplerSettings>()),
            ("logit biases", n_slots * MAX_BIASES * size_of::<LogitBias>()),
            ("token counts", n_slots * dims.vocab_size * 4),
            ("candidates", n_slots * DrawClass::All.n_candidates(dims.vocab_size) * 8),
            ("cache page", page),
            ("attention splits", splits * dims.head_dim * 4),
            ("attention split statistics", splits * 8),
        ] {
            self.add(Purpose::Steering, label, bytes);
        }
    }

    fn add(&mut self, purpose: Purpose, label: &'static str, bytes: usize) {
        // as buffers are made
        let bytes = (bytes as u64).max(4).next_multiple_of(4);
        self.0.push(Size { label, purpose, bytes });
    }

    /// Bytes of the buffer with that label.
    pub(crate) fn of(&self, label: &str) -> u64 {
        self.0.iter().find(|size| size.label == label).expect("every buffer is in the table").bytes
    }

    /// Bytes of all buffers that are there for something.
    pub(crate) fn sum(&self, purpose: Purpose) -> u64 {
        self.0.iter().filter(|size| size.purpose == purpose).map(|size| size.bytes).sum()
    }

    /// The largest buffer.
    pub(crate) fn largest(&self) -> Size {
        self.0.iter().max_by_key(|size| size.bytes).copied().expect("every engine has steps")
    }
}

fn whole_tiles(rows: usize) -> usize {
    rows.next_multiple_of(GEMM_MAX_TILE_M as usize)
}

/// Bytes of `rows` rows of f32.
fn matrix_bytes(rows: usize, width: usize) -> usize {
    rows * align_row(width) * 4
}

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

/// How tokens are grouped by expert in steps of few tokens, and of many.
pub(super) fn groupings(mixture: &Mixture, chunk: usize, tuning: &Tuning) -> (Grouping, Grouping) {
    let routing = routing(mixture);
    (Grouping::new(routing, FEW.min(chunk), tuning), Grouping::new(routing, chunk, tuning))
}

/// Splits of decode attention at the end of the context.
pub(super) fn max_splits(plan: &Plan, context_length: usize, tuning: &Tuning) -> usize {
    tuning.decode_splits(plan.dims.n_heads, plan.dims.n_kv_heads, context_length.next_multiple_of(PAGE))
}

/// Bytes that a token takes in the widest activation.
pub(crate) fn widest_row_bytes(plan: &Plan, rope: &Rope) -> usize {
    let dims = &plan.dims;
    let top_k = plan.mixtures().map(|mixture| mixture.top_k).max().unwrap_or(1);
    let inner = plan.mixtures().map(|mixture| align_row(mixture.intermediate_size)).max().unwrap_or(0);
    let heads = dims.n_heads * dims.head_dim;
    [
        top_k * align_row(dims.hidden_size),
        top_k * inner,
        align_row(dims.intermediate_size),
        align_row(heads + 2 * dims.n_kv_heads * dims.head_dim),
        rope.rows().n_queries * align_row(heads),
    ]
    .into_iter()
    .max()
    .unwrap_or(1)
        * 4
}

/// Bytes of the keys, or of the values, of one page in one layer.
fn layer_page_bytes(plan: &Plan, options: EngineOptions) -> usize {
    PAGE * plan.dims.n_kv_heads * options.kv.vector_bytes(plan.dims.head_dim)
}

/// Bytes of the keys, or of the values, of one layer.
pub(crate) fn layer_cache_bytes(plan: &Plan, options: EngineOptions) -> u64 {
    (options.n_pages * layer_page_bytes(plan, options)) as u64
}
