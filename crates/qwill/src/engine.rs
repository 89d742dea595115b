//! A model on the device: weights, activations, cache, and the launches of every kind of step.

mod adapters;
mod buffers;
mod mixture;
mod pages;
mod pending;
mod prepare;
mod ready;
mod sizes;
mod slots;
mod stage;
mod steps;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::rc::Rc;

use qwill_gpu::{Buffer, Gpu};
use qwill_kernels::{DrawClass, Kernels, KvType, Launch};
use qwill_models::Plan;

use self::adapters::Adapters;
use self::buffers::{Activations, Steering, activations, steering};
pub(crate) use self::pending::Pending;
use self::pending::Staging;
pub(crate) use self::ready::Ready;
pub(crate) use self::sizes::{Purpose, Sizes, layer_cache_bytes, widest_row_bytes};
use self::stage::{BySize, Stage};
use crate::Error;
use crate::loader::Weights;

/// Prompts up to this length use a small GEMM tile: a large one would compute mostly padding.
const FEW: usize = 16;
/// Steps that may be on their way at a time.
pub(crate) const MAX_STEPS: usize = 5;
/// Rows of outputs that one step can produce.
pub(crate) const MAX_OUTPUTS: usize = 64;

/// How an engine is laid out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EngineOptions {
    pub(crate) context_length: usize,
    pub(crate) kv: KvType,
    /// Tokens of the largest step.
    pub(crate) chunk: usize,
    /// Texts that run at a time.
    pub(crate) n_slots: usize,
    /// Pages of the cache.
    pub(crate) n_pages: usize,
}

pub(crate) struct Engine {
    pub(crate) gpu: Rc<Gpu>,
    pub(crate) plan: Plan,
    pub(crate) options: EngineOptions,
    kernels: Kernels,
    activations: Activations,
    steering: Steering,
    /// Up to the residual stream of the last layer.
    layers: Stage,
    /// The final norm.
    norm: BySize<Vec<Launch>>,
    /// What follows the norm.
    head: Stage,
    adapters: Adapters,
    samplers: HashMap<DrawClass, Vec<Launch>>,
    /// Log probabilities, once they have been asked for.
    report: Option<Launch>,
    /// How each slot's tokens are drawn.
    classes: Vec<DrawClass>,
    /// Keys and values of each layer.
    caches: Vec<(Buffer, Buffer)>,
    staging: Staging,
}

/// What one step costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StepCost {
    pub(crate) dispatches: usize,
    pub(crate) weight_bytes: u64,
}

impl Engine {
    /// Binds every step to weights that there is room for.
    pub(crate) async fn new(
        kernels: Kernels,
        plan: Plan,
        options: EngineOptions,
        weights: &Weights<'_>,
    ) -> Result<Self, Error> {
        let gpu = kernels.gpu.clone();
        let sizes = Sizes::new(&plan, &plan.rope, options, kernels.tuning());
        let activations = activations(&gpu, &plan, options, kernels.tuning(), &sizes).await?;
        let steering = steering(&gpu, &sizes).await?;
        let staging = Staging::new(&gpu, MAX_STEPS).await?;
        let mut engine = Self {
            gpu,
            options,
            kernels,
            activations,
            steering,
            layers: Stage::default(),
            norm: BySize::default(),
            head: Stage::default(),
            adapters: Adapters::default(),
            samplers: HashMap::new(),
            report: None,
            classes: vec![DrawClass::Greedy; options.n_slots],
            caches: Vec::new(),
            staging,
            plan,
        };
        engine.prepare(weights).await?;
        Ok(engine)
    }

    /// Dispatches and weight bytes of one decode step with sampling.
    pub(crate) fn decode_cost(&self) -> StepCost {
        let sampler = self.samplers.values().next().map_or(0, Vec::len);
        let launches =
            || self.layers.launches.one.iter().chain(&self.norm.one).chain(&self.head.launches.one);
        StepCost {
            dispatches: launches().count() + sampler,
            weight_bytes: launches().map(|l| l.weight_bytes).sum(),
        }
    }

    /// Dispatches of a decode step in one layer, the largest over layers.
    pub(crate) fn decode_dispatches_per_layer(&self) -> f64 {
        self.layers.launches.one.len() as f64 / self.plan.dims.n_layers as f64
    }
}
