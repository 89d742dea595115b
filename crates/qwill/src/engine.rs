//! A model on the device: weights, activations, cache, and the launches of every kind of step.

mod adapters;
mod buffers;
mod decode;
mod mixture;
mod prepare;
mod ready;
mod sizes;
mod stage;

use std::collections::HashMap;
use std::ops::Range;
use std::rc::Rc;

use qwill_gpu::{Buffer, Gpu};
use qwill_kernels::{Kernels, KvType, Launch, StepShape, StepState, Tuning, align_row};
use qwill_models::{Outputs, Plan};

use self::adapters::Adapters;
use self::buffers::{Activations, Steering, activations, steering};
pub(crate) use self::ready::Ready;
pub(crate) use self::sizes::{Purpose, Sizes, layer_cache_bytes, widest_row_bytes};
use self::stage::{BySize, Size, Stage};
use crate::Error;
use crate::cache::{PagePool, Sequence};
use crate::loader::Loader;

/// Tokens sampled before the CPU has to read one: steps in flight plus one that is being read.
pub(crate) const RING: usize = 8;
/// Prompts up to this length use a small GEMM tile: a large one would compute mostly padding.
const FEW: usize = 16;
/// Rows of outputs that one step can produce.
pub(crate) const MAX_OUTPUTS: usize = 64;
/// Positions whose angles are written at a time while decoding.
const ANGLES_AHEAD: usize = 64;

/// How an engine is laid out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EngineOptions {
    pub(crate) context_length: usize,
    pub(crate) kv: KvType,
    /// Tokens of the largest prefill step.
    pub(crate) chunk: usize,
}

/// How far the head goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Until {
    /// To the normalised states.
    States,
    /// To the outputs: logits or scores.
    Outputs,
}

/// What the rotary table on the device holds.
struct Angles {
    positions: Range<usize>,
    /// Length of the prompt that they were made for.
    n_prompt: usize,
}

pub(crate) struct Engine {
    pub(crate) gpu: Rc<Gpu>,
    pub(crate) plan: Plan,
    pub(crate) options: EngineOptions,
    pub(crate) pool: PagePool,
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
    /// By candidates kept per chunk.
    samplers: HashMap<usize, Vec<Launch>>,
    angles: Angles,
    next_staging: usize,
}

/// What one step costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StepCost {
    pub(crate) dispatches: usize,
    pub(crate) weight_bytes: u64,
}

impl Engine {
    /// Uploads the weights and prepares every step.
    pub(crate) async fn new(
        gpu: Rc<Gpu>,
        plan: Plan,
        options: EngineOptions,
        tuning: Tuning,
        mut loader: Loader<'_>,
    ) -> Result<Self, Error> {
        let kernels = Kernels::new(gpu.clone(), tuning).await?;
        let pool = PagePool::new(options.context_length);
        let sizes = Sizes::new(&plan, &plan.rope, options, kernels.tuning());
        let activations = activations(&gpu, &plan, options, kernels.tuning(), &sizes).await?;
        let steering = steering(&gpu, &sizes).await?;
        let mut engine = Self {
            gpu,
            options,
            pool,
            kernels,
            activations,
            steering,
            layers: Stage::default(),
            norm: BySize::default(),
            head: Stage::default(),
            adapters: Adapters::default(),
            samplers: HashMap::new(),
            angles: Angles { positions: 0..0, n_prompt: 0 },
            next_staging: 0,
            plan,
        };
        engine.prepare(&mut loader).await?;
        loader.finish().await?;
        engine.warm_up().await?;
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

    fn write_state(&self, state: &StepState) {
        self.gpu.write(&self.steering.state, 0, bytemuck::bytes_of(state));
    }

    fn reserve(&mut self, sequence: &mut Sequence, n: usize) -> Result<(), Error> {
        let first = sequence.pages().len();
        let context_length = self.options.context_length;
        let Some(new) = sequence.reserve(n, &mut self.pool) else {
            return Err(Error::PromptTooLong { prompt_tokens: n, context_length, hint: String::new() });
        };
        if !new.is_empty() {
            self.gpu.write(&self.steering.block_table, first as u64 * 4, bytemuck::cast_slice(new));
        }
        Ok(())
    }

    /// Keeps of the cache what it has in common with a prompt that is read with the adapters in use; returns how many tokens
    /// that is.
    pub(crate) fn start(&mut self, sequence: &mut Sequence, prompt: &[u32]) -> usize {
        sequence.start(prompt, &self.plan.rope, self.adapters.active(), &mut self.pool)
    }

    /// Makes the rotary table hold `positions` of a sequence; returns its first position. The table is short and moves
    /// with the text: one of the whole context would take as much memory as a layer of the cache.
    fn turn_to(&mut self, sequence: &Sequence, positions: Range<usize>) -> u32 {
        let n_prompt = sequence.n_prompt();
        let held = &self.angles;
        if positions.start < held.positions.start
            || positions.end > held.positions.end
            || n_prompt != held.n_prompt
        {
            let end = positions.end.max(positions.start + ANGLES_AHEAD);
            let table = self.plan.rope.table(n_prompt, positions.start..end);
            self.gpu.write(&self.steering.rope, 0, bytemuck::cast_slice(&table));
            self.angles = Angles { positions: positions.start..end, n_prompt };
        }
        self.angles.positions.start as u32
    }

    /// Makes the device ready for a chunk: for `tokens` behind those that are in the cache.
    pub(crate) fn enter_chunk(
        &mut self,
        sequence: &mut Sequence,
        tokens: &[u32],
    ) -> Result<StepState, Error> {
        let position = sequence.len();
        self.reserve(sequence, position + tokens.len())?;
        self.gpu.write(&self.steering.tokens, 0, bytemuck::cast_slice(tokens));
        let state = StepState {
            position: position as u32,
            n_tokens: tokens.len() as u32,
            rope_first: self.turn_to(sequence, position..position + tokens.len()),
            ..StepState::default()
        };
        self.write_state(&state);
        Ok(state)
    }

    /// The step that [`Self::enter_chunk`] prepared.
    pub(crate) fn chunk(&self, state: &StepState) -> Ready<'_> {
        let shape =
            StepShape { n_tokens: state.n_tokens, n_kv: state.position + state.n_tokens, n_outputs: 0 };
        let size = match state.n_tokens as usize {
            1 => Size::One,
            2..=FEW => Size::Few,
            _ => Size::Many,
        };
        Ready::new(&self.gpu, self.layers.in_order(size, &self.adapters.layers()), shape)
    }

    /// Puts `tokens` into the cache, at most a chunk of them, and leaves their hidden states for [`Self::head`].
    fn prefill_chunk(&mut self, sequence: &mut Sequence, tokens: &[u32]) -> Result<StepState, Error> {
        let state = self.enter_chunk(sequence, tokens)?;
        self.chunk(&state).record().submit();
        sequence.push(tokens);
        Ok(state)
    }

    /// Outputs of `n` rows of the last chunk, from row `first`.
    fn head(&self, last: StepState, first: usize, n: usize, until: Until) -> Ready<'_> {
        self.write_state(&StepState { output_row: first as u32, ..last });
        let shape =
            StepShape { n_tokens: last.n_tokens, n_kv: last.position + last.n_tokens, n_outputs: n as u32 };
        let size = if n == 1 { Size::One } else { Size::Many };
        let mut launches: Vec<&Launch> = self.norm.get(size).iter().collect();
        if until == Until::Outputs {
            launches.extend(self.head.in_order(size, &self.adapters.head()));
        }
        Ready::new(&self.gpu, launches, shape)
    }

    /// Prefills all of `tokens`, in chunks, and computes the outputs of the last one.
    pub(crate) fn prefill(&mut self, sequence: &mut Sequence, tokens: &[u32]) -> Result<(), Error> {
        let mut last = None;
        for chunk in tokens.chunks(self.options.chunk) {
            last = Some(self.prefill_chunk(sequence, chunk)?);
        }
        if let Some(last) = last {
            self.head(last, last.n_tokens as usize - 1, 1, Until::Outputs).record().submit();
        }
        Ok(())
    }

    /// Prefills a chunk and reads the outputs of every position of it, `[tokens.len(), width]`.
    pub(crate) async fn prefill_outputs(
        &mut self,
        sequence: &mut Sequence,
        tokens: &[u32],
    ) -> Result<Vec<f32>, Error> {
        let last = self.prefill_chunk(sequence, tokens)?;
        let mut all = Vec::with_capacity(tokens.len() * self.plan.head.width(&self.plan.dims));
        for first in (0..tokens.len()).step_by(MAX_OUTPUTS) {
            let n = MAX_OUTPUTS.min(tokens.len() - first);
            self.head(last, first, n, Until::Outputs).record().submit();
            all.extend(self.read_outputs(n).await?);
        }
        Ok(all)
    }

    /// Prefills all of `tokens` and reads the normalised state of the last one, `[hidden_size]`.
    pub(crate) async fn prefill_state(
        &mut self,
        sequence: &mut Sequence,
        tokens: &[u32],
    ) -> Result<Vec<f32>, Error> {
        let mut last = StepState::default();
        for chunk in tokens.chunks(self.options.chunk) {
            last = self.prefill_chunk(sequence, chunk)?;
        }
        self.head(last, last.n_tokens as usize - 1, 1, Until::States).record().submit();
        self.read_rows(&self.activations.head_in, 1, self.plan.dims.hidden_size).await
    }

    /// The first `n` rows of outputs.
    pub(crate) async fn read_outputs(&self, n: usize) -> Result<Vec<f32>, Error> {
        let buffer = match self.plan.head.outputs {
            Outputs::States => &self.activations.head_in,
            Outputs::Logits | Outputs::Scores { .. } => &self.activations.outputs,
        };
        self.read_rows(buffer, n, self.plan.head.width(&self.plan.dims)).await
    }

    async fn read_rows(&self, buffer: &Buffer, n: usize, width: usize) -> Result<Vec<f32>, Error> {
        let stride = align_row(width);
        let bytes = self.gpu.read(buffer, 0, (n * stride * 4) as u64).await?;
        let rows = bytemuck::pod_collect_to_vec::<u8, f32>(&bytes);
        Ok(rows.chunks(stride).flat_map(|row| &row[..width]).copied().collect())
    }
}
