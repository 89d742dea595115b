//! Bytes of every buffer of an engine but its weights and its cache, before any is made.

use qwill_kernels::{
    DrawClass, Draws, GEMM_MAX_TILE_M, Grouping, LogitBias, PAGE, SamplerSettings, Tuning, align_row,
    step_words,
};
use qwill_models::step::MAX_BIASES;
use qwill_models::{Mixture, Plan, RegisterRows, RegisterShape, Rope};

use super::buffers::{GroupBytes, Routes, Steering};
use super::groupings::Groupings;
use super::pending::Staging;
use super::{EngineOptions, MAX_OUTPUTS, MAX_STEPS};

/// What a buffer is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
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
pub struct Size {
    /// What is in it.
    pub label: &'static str,
    /// What that is for.
    pub purpose: Purpose,
    /// Its bytes.
    pub bytes: u64,
}

/// The one place that knows how large buffers are: what makes them and what plans memory look here.
pub struct Sizes {
    /// By their places in the plan.
    pub(super) registers: Vec<Size>,
    pub(super) routes: Option<Routes<u64, GroupBytes>>,
    pub(super) steering: Steering<u64>,
}

impl Sizes {
    /// Of an engine whose positions are `rope`, which may differ from the plan's for a shorter context.
    pub fn new(plan: &Plan, rope: &Rope, options: EngineOptions, tuning: &Tuning) -> Self {
        let register = |shape| register_size(shape, rope, options.chunk);
        Self {
            registers: plan.registers.shapes().iter().map(register).collect(),
            routes: plan.mixtures().next().map(|mixture| routes(mixture, options.chunk, tuning)),
            steering: steering(plan, rope, options, tuning),
        }
    }

    /// All buffers.
    fn all(&self) -> impl Iterator<Item = Size> {
        let purpose = Purpose::Experts;
        let routes = self.routes.iter().flat_map(|routes| routes.each());
        let routes = routes.map(move |(label, bytes)| Size { label, purpose, bytes });
        let purpose = Purpose::Steering;
        let staging = ("tokens on their way back", buffer_bytes(MAX_STEPS * Staging::BYTES));
        let steering = self.steering.each().map(|(label, &bytes)| (label, bytes));
        let steering = steering.into_iter().chain([staging]);
        let steering = steering.map(move |(label, bytes)| Size { label, purpose, bytes });
        self.registers.iter().copied().chain(routes).chain(steering)
    }

    /// Bytes of all buffers that are there for something.
    pub fn sum(&self, purpose: Purpose) -> u64 {
        self.all().filter(|size| size.purpose == purpose).map(|size| size.bytes).sum()
    }

    /// The largest buffer.
    pub fn largest(&self) -> Size {
        self.all().max_by_key(|size| size.bytes).expect("every engine has steps")
    }
}

fn register_size(shape: &RegisterShape, rope: &Rope, chunk: usize) -> Size {
    let &RegisterShape { name, rows, width } = shape;
    let (purpose, n_rows) = match rows {
        RegisterRows::Tokens => (Purpose::Activations, whole_tiles(chunk)),
        RegisterRows::Queries => (Purpose::Activations, whole_tiles(chunk) * rope.rows().n_queries),
        RegisterRows::Slots(top_k) => (Purpose::Experts, chunk * top_k),
        RegisterRows::Outputs => (Purpose::Outputs, whole_tiles(MAX_OUTPUTS)),
    };
    Size { label: name, purpose, bytes: buffer_bytes(n_rows * align_row(width) * 4) }
}

/// Of the mixtures of a plan, which are all of one shape.
fn routes(mixture: &Mixture, chunk: usize, tuning: &Tuning) -> Routes<u64, GroupBytes> {
    let Groupings { few, many } = Groupings::new(mixture, chunk, tuning);
    let bytes = |grouping: Grouping| GroupBytes {
        assignments: buffer_bytes(grouping.assignments_bytes()),
        tiles: buffer_bytes(grouping.tiles_bytes()),
    };
    Routes {
        of_tokens: buffer_bytes(whole_tiles(chunk) * many.routing.n_slots() * 8),
        few: bytes(few),
        many: bytes(many),
    }
}

fn steering(plan: &Plan, rope: &Rope, options: EngineOptions, tuning: &Tuning) -> Steering<u64> {
    let dims = &plan.dims;
    let EngineOptions { context_length, n_slots, chunk, .. } = options;
    let splits = n_slots * dims.n_heads * max_splits(plan, context_length, tuning);
    let pages = n_slots * context_length.div_ceil(PAGE);
    let angles = rope.rows().per_position * rope.rotary_dim;
    Steering {
        step: buffer_bytes(step_words(chunk, n_slots, MAX_OUTPUTS, pages, angles) * 4),
        next: buffer_bytes(n_slots * 4),
        drawn: buffer_bytes(Staging::BYTES),
        samplers: buffer_bytes(n_slots * size_of::<SamplerSettings>()),
        biases: buffer_bytes(n_slots * MAX_BIASES * size_of::<LogitBias>()),
        allowed: buffer_bytes(n_slots * draws(plan, DrawClass::Greedy).allowed_stride() * 4),
        counts: buffer_bytes(n_slots * dims.vocab_size * 4),
        candidates: buffer_bytes(n_slots * DrawClass::All.n_candidates(dims.vocab_size) * 8),
        page: buffer_bytes(2 * dims.n_layers * layer_page_bytes(plan, options)),
        partial: buffer_bytes(splits * dims.head_dim * 4),
        stats: buffer_bytes(splits * 8),
    }
}

/// Draws of a class.
pub(super) fn draws(plan: &Plan, class: DrawClass) -> Draws {
    Draws::new(class, plan.dims.vocab_size, MAX_BIASES)
}

/// As buffers are made.
fn buffer_bytes(bytes: usize) -> u64 {
    (bytes as u64).max(4).next_multiple_of(4)
}

fn whole_tiles(rows: usize) -> usize {
    rows.next_multiple_of(GEMM_MAX_TILE_M as usize)
}

/// Splits of decode attention at the end of the context.
pub(super) fn max_splits(plan: &Plan, context_length: usize, tuning: &Tuning) -> usize {
    tuning.decode_splits(plan.dims.n_heads, plan.dims.n_kv_heads, context_length.next_multiple_of(PAGE))
}

/// Bytes that a token takes in the widest register.
pub fn widest_row_bytes(plan: &Plan, rope: &Rope) -> usize {
    let of_token = |shape: &RegisterShape| match shape.rows {
        RegisterRows::Tokens => align_row(shape.width) * 4,
        RegisterRows::Queries => rope.rows().n_queries * align_row(shape.width) * 4,
        RegisterRows::Slots(top_k) => top_k * align_row(shape.width) * 4,
        RegisterRows::Outputs => 0,
    };
    plan.registers.shapes().iter().map(of_token).max().unwrap_or(4)
}

/// Bytes of the keys, or of the values, of one page in one layer.
fn layer_page_bytes(plan: &Plan, options: EngineOptions) -> usize {
    PAGE * plan.dims.n_kv_heads * options.kv.vector_bytes(plan.dims.head_dim)
}

/// Bytes of the keys, or of the values, of one layer.
pub fn layer_cache_bytes(plan: &Plan, options: EngineOptions) -> u64 {
    (options.n_pages * layer_page_bytes(plan, options)) as u64
}
