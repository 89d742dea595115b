//! Buffers of an engine: activations, and the small ones that steer a step.

use qwill_gpu::{Gpu, Usage, wgpu};
use qwill_kernels::{Grouping, Groups, Tuning};
use qwill_models::Plan;

use super::sizes::{Sizes, groupings};
use super::{EngineOptions, RING};
use crate::Error;

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

pub(super) async fn activations(
    gpu: &Gpu,
    plan: &Plan,
    options: EngineOptions,
    tuning: &Tuning,
    sizes: &Sizes,
) -> Result<Activations, Error> {
    let buffer = async |label: &str| gpu.buffer(label, sizes.of(label), Usage::Storage).await;
    Ok(Activations {
        hidden: buffer("hidden states").await?,
        normed: buffer("normalised states").await?,
        qkv: buffer("projected heads").await?,
        q: buffer("queries").await?,
        attended: buffer("attention output").await?,
        inner: buffer("feed-forward states").await?,
        head_in: buffer("output states").await?,
        head_inner: buffer("inner output states").await?,
        outputs: buffer("outputs").await?,
        mixture: match plan.mixtures().next() {
            Some(mixture) => {
                Some(mixture_activations(gpu, groupings(mixture, options.chunk, tuning), sizes).await?)
            }
            None => None,
        },
    })
}

async fn mixture_activations(
    gpu: &Gpu,
    (few, many): (Grouping, Grouping),
    sizes: &Sizes,
) -> Result<MixtureActivations, Error> {
    let buffer = async |label: &str| gpu.buffer(label, sizes.of(label), Usage::Storage).await;
    let groups = async |grouping: Grouping, assignments, tiles| -> Result<Groups, Error> {
        Ok(Groups { grouping, assignments: buffer(assignments).await?, tiles: buffer(tiles).await? })
    };
    Ok(MixtureActivations {
        router_logits: buffer("router logits").await?,
        routes: buffer("routes").await?,
        inner: buffer("expert states").await?,
        out: buffer("expert outputs").await?,
        few: groups(few, "few tokens by expert", "tiles of few tokens by expert").await?,
        many: groups(many, "tokens by expert", "tiles of tokens by expert").await?,
    })
}

pub(super) async fn steering(gpu: &Gpu, sizes: &Sizes) -> Result<Steering, Error> {
    let buffer = async |label: &str| gpu.buffer(label, sizes.of(label), Usage::Storage).await;
    let back = "tokens on their way back";
    let mut staging = Vec::new();
    for _ in 0..RING {
        staging.push(gpu.buffer(back, sizes.of(back) / RING as u64, Usage::Readback).await?);
    }
    Ok(Steering {
        state: buffer("step state").await?,
        tokens: buffer("tokens").await?,
        sampler: buffer("sampler settings").await?,
        counts: buffer("token counts").await?,
        candidates: buffer("candidates").await?,
        ring: buffer("token ring").await?,
        block_table: buffer("block table").await?,
        rope: buffer("rotary table").await?,
        partial: buffer("attention splits").await?,
        stats: buffer("attention split statistics").await?,
        staging,
    })
}
