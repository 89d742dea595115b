//! Buffers of an engine: activations, and the small ones that steer a step.

use qwill_gpu::{Gpu, Usage, wgpu};
use qwill_kernels::{
    GEMM_MAX_TILE_M, Grouping, Groups, PAGE, Routing, SamplerSettings, StepState, TopKWeights, align_row,
    candidate_count, decode_split,
};
use qwill_models::{Mixture, Plan};

use super::{ANGLES_AHEAD, EngineOptions, FEW, MAX_OUTPUTS, RING};
use crate::Error;
use crate::cache::PagePool;

/// Activations, each `[rows, stride]` f32 with rows in whole GEMM tiles.
pub(super) struct Activations {
    pub(super) hidden: wgpu::Buffer,
    pub(super) normed: wgpu::Buffer,
    pub(super) qkv: wgpu::Buffer,
    pub(super) q: wgpu::Buffer,
    pub(super) attended: wgpu::Buffer,
    pub(super) inner: wgpu::Buffer,
    pub(super) head_in: wgpu::Buffer,
    /// Between two output layers.
    pub(super) head_inner: wgpu::Buffer,
    pub(super) outputs: wgpu::Buffer,
    /// Of mixtures of experts.
    pub(super) mixture: Option<MixtureActivations>,
}

/// Activations of mixtures of experts.
#[derive(Clone)]
pub(super) struct MixtureActivations {
    /// What the router gives, `[rows, stride]` f32.
    pub(super) router_logits: wgpu::Buffer,
    /// Experts and weights of each token.
    pub(super) routes: wgpu::Buffer,
    /// Inside the experts, a row for each token and slot.
    pub(super) inner: wgpu::Buffer,
    /// Out of the experts, a row for each token and slot.
    pub(super) out: wgpu::Buffer,
    /// Tokens by expert, in steps of few tokens.
    pub(super) few: Groups,
    /// The same in steps of many.
    pub(super) many: Groups,
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

/// Small buffers that steer a step.
pub(super) struct Steering {
    pub(super) state: wgpu::Buffer,
    pub(super) tokens: wgpu::Buffer,
    pub(super) sampler: wgpu::Buffer,
    pub(super) counts: wgpu::Buffer,
    pub(super) candidates: wgpu::Buffer,
    pub(super) ring: wgpu::Buffer,
    pub(super) block_table: wgpu::Buffer,
    pub(super) rope: wgpu::Buffer,
    pub(super) partial: wgpu::Buffer,
    pub(super) stats: wgpu::Buffer,
    pub(super) staging: Vec<wgpu::Buffer>,
}

/// Splits of decode attention at the end of the context.
pub(super) fn max_splits(plan: &Plan, context_length: usize) -> Result<usize, Error> {
    let split = decode_split(plan.dims.n_heads / plan.dims.n_kv_heads, plan.dims.head_dim)?;
    Ok(context_length.next_multiple_of(PAGE).div_ceil(split))
}

pub(super) async fn activations(
    gpu: &Gpu,
    plan: &Plan,
    options: EngineOptions,
) -> Result<Activations, Error> {
    let dims = &plan.dims;
    let rows = options.chunk.next_multiple_of(GEMM_MAX_TILE_M as usize);
    let outputs = MAX_OUTPUTS.next_multiple_of(GEMM_MAX_TILE_M as usize);
    let matrix = async |label: &str, rows: usize, width: usize| {
        gpu.buffer(label, (rows * align_row(width) * 4) as u64, Usage::Storage).await
    };
    let heads = dims.n_heads * dims.head_dim;
    let head_inner = plan.head.layers.iter().rev().skip(1).map(|layer| layer.weight.n_rows()).max();
    let head_inner = head_inner.unwrap_or(1);
    Ok(Activations {
        hidden: matrix("hidden states", rows, dims.hidden_size).await?,
        normed: matrix("normalised states", rows, dims.hidden_size).await?,
        qkv: matrix("projected heads", rows, heads + 2 * dims.n_kv_heads * dims.head_dim).await?,
        q: matrix("queries", rows * plan.rope.rows().n_queries, heads).await?,
        attended: matrix("attention output", rows, heads).await?,
        inner: matrix("feed-forward states", rows, dims.intermediate_size).await?,
        head_in: matrix("output states", outputs, dims.hidden_size).await?,
        head_inner: matrix("inner output states", outputs, head_inner).await?,
        outputs: matrix("outputs", outputs, plan.head.width(dims)).await?,
        mixture: match plan.mixtures().next() {
            Some(mixture) => Some(mixture_activations(gpu, plan, mixture, options.chunk).await?),
            None => None,
        },
    })
}

/// Room for the mixtures of a plan, which are all of one shape.
async fn mixture_activations(
    gpu: &Gpu,
    plan: &Plan,
    mixture: &Mixture,
    chunk: usize,
) -> Result<MixtureActivations, Error> {
    let routing = routing(mixture);
    let storage = async |label: &str, bytes: usize| gpu.buffer(label, bytes as u64, Usage::Storage).await;
    let matrix =
        async |label: &str, rows: usize, width: usize| storage(label, rows * align_row(width) * 4).await;
    let groups = async |max_tokens: usize| -> Result<Groups, Error> {
        let grouping = Grouping { routing, max_tokens };
        Ok(Groups {
            grouping,
            assignments: storage("tokens by expert", grouping.assignments_bytes()).await?,
            tiles: storage("tiles of tokens by expert", grouping.tiles_bytes()).await?,
        })
    };
    let rows = chunk.next_multiple_of(GEMM_MAX_TILE_M as usize);
    Ok(MixtureActivations {
        router_logits: matrix("router logits", rows, routing.n_logits()).await?,
        routes: storage("routes", rows * routing.n_slots() * 8).await?,
        inner: matrix("expert states", chunk * routing.top_k, mixture.intermediate_size).await?,
        out: matrix("expert outputs", chunk * routing.top_k, plan.dims.hidden_size).await?,
        few: groups(FEW.min(chunk)).await?,
        many: groups(chunk).await?,
    })
}

/// Bytes that a token takes in the widest activation.
pub(crate) fn widest_row_bytes(plan: &Plan) -> usize {
    let dims = &plan.dims;
    let top_k = plan.mixtures().map(|mixture| mixture.top_k).max().unwrap_or(1);
    let inner = plan.mixtures().map(|mixture| align_row(mixture.intermediate_size)).max().unwrap_or(0);
    let heads = dims.n_heads * dims.head_dim;
    [
        top_k * align_row(dims.hidden_size),
        top_k * inner,
        align_row(dims.intermediate_size),
        align_row(heads + 2 * dims.n_kv_heads * dims.head_dim),
        plan.rope.rows().n_queries * align_row(heads),
    ]
    .into_iter()
    .max()
    .unwrap_or(1)
        * 4
}

pub(super) async fn steering(
    gpu: &Gpu,
    plan: &Plan,
    options: EngineOptions,
    pool: &PagePool,
) -> Result<Steering, Error> {
    let dims = &plan.dims;
    let storage = async |label: &str, bytes: usize| gpu.buffer(label, bytes as u64, Usage::Storage).await;
    let angles = options.chunk.max(ANGLES_AHEAD) * plan.rope.rows().per_position * plan.rope.rotary_dim;
    let splits = dims.n_heads * max_splits(plan, options.context_length)?;
    let mut staging = Vec::new();
    for _ in 0..RING {
        staging.push(gpu.buffer("token readback", 4, Usage::Readback).await?);
    }
    Ok(Steering {
        state: storage("step state", size_of::<StepState>()).await?,
        tokens: storage("tokens", options.chunk * 4).await?,
        sampler: storage("sampler settings", size_of::<SamplerSettings>()).await?,
        counts: storage("token counts", dims.vocab_size * 4).await?,
        candidates: storage("candidates", candidate_count(dims.vocab_size, 1024) * 8).await?,
        ring: storage("token ring", RING * 4).await?,
        block_table: storage("block table", pool.n_pages() * 4).await?,
        rope: storage("rotary table", angles * 4).await?,
        partial: storage("attention splits", splits * dims.head_dim * 4).await?,
        stats: storage("attention split statistics", splits * 8).await?,
        staging,
    })
}
