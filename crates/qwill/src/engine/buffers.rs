//! Buffers of an engine: activations, and the small ones that steer a step.

use qwill_gpu::{Buffer, Gpu, Usage};
use qwill_kernels::{Grouping, Groups, Tuning};
use qwill_models::Plan;

use super::EngineOptions;
use super::sizes::{Sizes, groupings};
use crate::Error;

/// Activations, each `[rows, stride]` f32 with rows in whole GEMM tiles.
pub(super) struct Activations {
    pub(super) hidden: Buffer,
    pub(super) normed: Buffer,
    pub(super) qkv: Buffer,
    pub(super) q: Buffer,
    pub(super) attended: Buffer,
    pub(super) inner: Buffer,
    pub(super) head_in: Buffer,
    /// Between two output layers.
    pub(super) head_inner: Buffer,
    pub(super) outputs: Buffer,
    /// Of mixtures of experts.
    pub(super) mixture: Option<MixtureActivations>,
}

/// Activations of mixtures of experts.
#[derive(Clone)]
pub(super) struct MixtureActivations {
    /// What the router gives, `[rows, stride]` f32.
    pub(super) router_logits: Buffer,
    /// Experts and weights of each token.
    pub(super) routes: Buffer,
    /// Inside the experts, a row for each token and slot.
    pub(super) inner: Buffer,
    /// Out of the experts, a row for each token and slot.
    pub(super) out: Buffer,
    /// Tokens by expert, in steps of few tokens.
    pub(super) few: Groups,
    /// The same in steps of many.
    pub(super) many: Groups,
}

/// Small buffers that steer a step.
pub(super) struct Steering {
    pub(super) step: Buffer,
    pub(super) next: Buffer,
    /// The tokens of a step, and behind them its reports.
    pub(super) drawn: Buffer,
    pub(super) samplers: Buffer,
    pub(super) biases: Buffer,
    pub(super) counts: Buffer,
    pub(super) candidates: Buffer,
    /// A page of all layers on its way to another place.
    pub(super) page: Buffer,
    pub(super) partial: Buffer,
    pub(super) stats: Buffer,
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
    Ok(Steering {
        step: buffer("step").await?,
        next: buffer("next tokens").await?,
        drawn: buffer("drawn tokens").await?,
        samplers: buffer("sampler settings").await?,
        biases: buffer("logit biases").await?,
        counts: buffer("token counts").await?,
        candidates: buffer("candidates").await?,
        page: buffer("cache page").await?,
        partial: buffer("attention splits").await?,
        stats: buffer("attention split statistics").await?,
    })
}
