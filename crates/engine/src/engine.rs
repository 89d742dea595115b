//! A model on the device: weights, activations, cache, and the launches of every kind of step.

mod adapters;
mod bind;
mod buffers;
mod groupings;
mod pages;
mod pending;
mod program;
mod ready;
mod sizes;
mod slots;
mod stage;
mod steps;
mod warm_up;

use std::collections::HashMap;
use std::rc::Rc;

use qwill_gpu::{Buffer, Gpu, Usage};
use qwill_kernels::{DrawClass, Kernels, KvType, Launch};
use qwill_models::Plan;
use qwill_models::step::Among;

use self::adapters::Adapters;
use self::buffers::Steering;
pub use self::pending::Pending;
use self::pending::Staging;
use self::program::{Linker, Program, Shared};
pub use self::ready::Ready;
pub use self::sizes::{Purpose, Size, Sizes, layer_cache_bytes, widest_row_bytes};
pub use self::steps::Written;
use crate::Error;
use crate::loader::Weights;

/// Prompts up to this length use a small GEMM tile: a large one would compute mostly padding.
const FEW: usize = 16;
/// Steps that may be on their way at a time.
pub const MAX_STEPS: usize = 5;
/// Rows of outputs that one step can produce.
pub const MAX_OUTPUTS: usize = 64;

/// How an engine is laid out.
#[derive(Debug, Clone, Copy)]
pub struct EngineOptions {
    /// Tokens that a text can have.
    pub context_length: usize,
    /// How keys and values are stored.
    pub kv: KvType,
    /// Tokens of the largest step.
    pub chunk: usize,
    /// Texts that run at a time.
    pub n_slots: usize,
    /// Pages of the cache.
    pub n_pages: usize,
}

/// A plan bound to weights, caches and the buffers of steps.
pub struct Engine {
    /// The device that it runs on.
    pub gpu: Rc<Gpu>,
    /// How it is laid out.
    pub options: EngineOptions,
    kernels: Kernels,
    steering: Steering<Buffer>,
    program: Program,
    adapters: Adapters,
    samplers: HashMap<DrawClass, Vec<Launch>>,
    /// Log probabilities, once they have been asked for.
    report: Option<Launch>,
    /// How each slot's tokens are drawn.
    classes: Vec<DrawClass>,
    /// Among which tokens each slot's were drawn last.
    among: Vec<Among>,
    /// Keys and values of each layer.
    caches: Vec<(Buffer, Buffer)>,
    staging: Staging,
}

/// What one step costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StepCost {
    /// Launches.
    pub dispatches: usize,
    /// Bytes of the weights that they read.
    pub weight_bytes: u64,
}

impl Engine {
    /// Binds every step to weights that there is room for.
    pub async fn new(
        mut kernels: Kernels,
        plan: &Plan,
        options: EngineOptions,
        weights: &Weights<'_>,
    ) -> Result<Self, Error> {
        let gpu = kernels.gpu.clone();
        let sizes = Sizes::new(plan, &plan.rope, options, kernels.tuning());
        let steering = sizes.steering.make(&gpu).await?;
        let staging = Staging::new(&gpu, MAX_STEPS).await?;
        let caches = caches(&gpu, plan, options).await?;
        let shared = Shared { weights, steering: &steering, caches: &caches, options };
        let program = Linker::link(&mut kernels, shared, plan, &sizes).await?;
        Ok(Self {
            gpu,
            options,
            kernels,
            steering,
            program,
            adapters: Adapters::default(),
            samplers: HashMap::new(),
            report: None,
            classes: vec![DrawClass::Greedy; options.n_slots],
            among: vec![Among::All; options.n_slots],
            caches,
            staging,
        })
    }

    /// What it does.
    pub fn plan(&self) -> &Plan {
        &self.program.plan
    }

    /// Dispatches and weight bytes of one decode step with sampling.
    pub fn decode_cost(&self) -> StepCost {
        let sampler = self.samplers.values().next().map_or(0, Vec::len);
        StepCost {
            dispatches: self.program.of_one_token().count() + sampler,
            weight_bytes: self.program.of_one_token().map(|launch| launch.weight_bytes).sum(),
        }
    }

    /// Dispatches of a decode step in one layer, the largest over layers.
    pub fn decode_dispatches_per_layer(&self) -> f64 {
        self.program.layers.launches.one.len() as f64 / self.plan().dims.n_layers as f64
    }
}

/// Room for the keys and values of each layer.
async fn caches(gpu: &Gpu, plan: &Plan, options: EngineOptions) -> Result<Vec<(Buffer, Buffer)>, Error> {
    let bytes = layer_cache_bytes(plan, options);
    let mut caches = Vec::new();
    for layer in 0..plan.dims.n_layers {
        let keys = gpu.buffer(&format!("keys of layer {layer}"), bytes, Usage::Storage).await?;
        let values = gpu.buffer(&format!("values of layer {layer}"), bytes, Usage::Storage).await?;
        caches.push((keys, values));
    }
    Ok(caches)
}
