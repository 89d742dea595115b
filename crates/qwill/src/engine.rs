//! A model on the device: weights, activations, cache, and the launches of every kind of step.

use std::collections::HashMap;
use std::rc::Rc;

use qwill_gpu::{Gpu, Readback, Step, Usage, wgpu};
use qwill_kernels::{
    Attend, AttendBuffers, DeviceMatrix, Epilogue, FusedNorm, GEMM_MAX_TILE_M, Kernels, KvType, Launch,
    NormRows, PAGE, Project, Rotate, RotateBuffers, SampleBuffers, SamplerSettings, StepShape, StepState,
    align_row, candidate_count, decode_split, embed_rows, gemm, gemv, keep_for, norm_rms, sample_token,
    select_candidates,
};
use qwill_models::{Activation, Op, Plan, Projection, Then, Weight};

use crate::Error;
use crate::cache::{PagePool, Sequence};
use crate::loader::Loader;

/// Tokens sampled before the CPU has to read one: steps in flight plus one that is being read.
pub(crate) const RING: usize = 8;
/// Prompts up to this length use a small GEMM tile: a large one would compute mostly padding.
const FEW: usize = 16;
/// Rows of logits that one step can produce.
pub(crate) const MAX_OUTPUTS: usize = 64;

/// How an engine is laid out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EngineOptions {
    pub(crate) context_length: usize,
    pub(crate) kv: KvType,
    /// Tokens of the largest prefill step.
    pub(crate) chunk: usize,
}

/// Activations, each `[rows, stride]` f32 with rows in whole GEMM tiles.
struct Activations {
    hidden: wgpu::Buffer,
    normed: wgpu::Buffer,
    qkv: wgpu::Buffer,
    q: wgpu::Buffer,
    attended: wgpu::Buffer,
    inner: wgpu::Buffer,
    head_in: wgpu::Buffer,
    logits: wgpu::Buffer,
}

/// Small buffers that steer a step.
struct Steering {
    state: wgpu::Buffer,
    tokens: wgpu::Buffer,
    sampler: wgpu::Buffer,
    counts: wgpu::Buffer,
    candidates: wgpu::Buffer,
    ring: wgpu::Buffer,
    block_table: wgpu::Buffer,
    rope: wgpu::Buffer,
    partial: wgpu::Buffer,
    stats: wgpu::Buffer,
    staging: Vec<wgpu::Buffer>,
}

/// Launches of one layer stack, for one token, for up to [`FEW`], or for a whole chunk.
#[derive(Default)]
struct Launches {
    layers: Vec<Launch>,
    head: Vec<Launch>,
}

pub(crate) struct Engine {
    pub(crate) gpu: Rc<Gpu>,
    pub(crate) plan: Plan,
    pub(crate) options: EngineOptions,
    pub(crate) pool: PagePool,
    kernels: Kernels,
    activations: Activations,
    steering: Steering,
    one: Launches,
    few: Launches,
    many: Launches,
    /// By candidates kept per chunk.
    samplers: HashMap<usize, Vec<Launch>>,
    logits_stride: usize,
    next_staging: usize,
}

/// What one step costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StepCost {
    pub(crate) dispatches: usize,
    pub(crate) weight_bytes: u64,
}

fn epilogue(then: Then) -> Epilogue {
    match then {
        Then::Store => Epilogue::Store,
        Then::Add => Epilogue::Add,
        Then::SiluMul => Epilogue::SiluMul,
    }
}

impl Engine {
    /// Uploads the weights and prepares every step.
    pub(crate) async fn new(
        gpu: Rc<Gpu>,
        plan: Plan,
        options: EngineOptions,
        mut loader: Loader<'_>,
    ) -> Result<Self, Error> {
        let kernels = Kernels::new(gpu.clone()).await?;
        let pool = PagePool::new(options.context_length);
        let activations = activations(&gpu, &plan, options).await?;
        let steering = steering(&gpu, &plan, options, &pool).await?;
        let logits_stride = align_row(plan.dims.vocab_size);
        let mut engine = Self {
            gpu,
            options,
            pool,
            kernels,
            activations,
            steering,
            one: Launches::default(),
            few: Launches::default(),
            many: Launches::default(),
            samplers: HashMap::new(),
            logits_stride,
            next_staging: 0,
            plan,
        };
        engine.prepare(&mut loader).await?;
        engine.gpu.flush().await?;
        engine.warm_up().await?;
        Ok(engine)
    }

    async fn prepare(&mut self, loader: &mut Loader<'_>) -> Result<(), Error> {
        let plan = self.plan.clone();
        let dims = &plan.dims;
        let cache_bytes =
            (self.pool.n_pages() * PAGE * dims.n_kv_heads * dims.head_dim * self.options.kv.bytes()) as u64;
        if cache_bytes > self.gpu.caps().max_binding {
            let most = self.gpu.caps().max_binding as usize
                / (dims.n_kv_heads * dims.head_dim * self.options.kv.bytes());
            return Err(Error::Request(format!(
                "a context of {} tokens does not fit a binding of this device; at most {} do{}",
                self.options.context_length,
                most / PAGE * PAGE,
                if self.options.kv == KvType::F32 { ", or twice as many with an f16 cache" } else { "" }
            )));
        }
        let mut caches = Vec::new();
        for layer in 0..dims.n_layers {
            let keys =
                self.gpu.buffer(&format!("keys of layer {layer}"), cache_bytes, Usage::Storage).await?;
            let values =
                self.gpu.buffer(&format!("values of layer {layer}"), cache_bytes, Usage::Storage).await?;
            caches.push((keys, values));
        }
        for op in &plan.ops {
            match op {
                Op::Embed(weight) => self.prepare_embedding(loader, weight).await?,
                Op::Project(projection) => self.prepare_projection(loader, projection).await?,
                Op::Rotate(rotation) => {
                    let norms = match &rotation.qk_norm {
                        Some((q, k)) => Some(loader.vector(&[q.weight.clone(), k.weight.clone()]).await?),
                        None => None,
                    };
                    let shape = Rotate {
                        n_heads: dims.n_heads,
                        n_kv_heads: dims.n_kv_heads,
                        head_dim: dims.head_dim,
                        rotary_dim: plan.rope.rotary_dim,
                        scale: (dims.head_dim as f32).powf(-0.5),
                        eps: dims.rms_norm_eps,
                        kv: self.options.kv,
                    };
                    let (k_cache, v_cache) = &caches[rotation.layer];
                    let buffers = RotateBuffers {
                        state: &self.steering.state,
                        qkv: &self.activations.qkv,
                        rope: &self.steering.rope,
                        block_table: &self.steering.block_table,
                        q: &self.activations.q,
                        k_cache,
                        v_cache,
                        qk_norm: norms.as_ref(),
                    };
                    for launches in [&mut self.one, &mut self.few, &mut self.many] {
                        launches.layers.push(self.kernels.rotate_heads(&shape, &buffers).await?);
                    }
                }
                Op::Attend(attention) => {
                    let shape = Attend {
                        n_heads: dims.n_heads,
                        n_kv_heads: dims.n_kv_heads,
                        head_dim: dims.head_dim,
                        window: attention.window,
                        kv: self.options.kv,
                    };
                    let (k_cache, v_cache) = &caches[attention.layer];
                    let buffers = AttendBuffers {
                        state: &self.steering.state,
                        q: &self.activations.q,
                        block_table: &self.steering.block_table,
                        k_cache,
                        v_cache,
                        y: &self.activations.attended,
                        partial: &self.steering.partial,
                        stats: &self.steering.stats,
                    };
                    let splits = max_splits(&plan, self.options.context_length)?;
                    self.one.layers.extend(self.kernels.attend_decode(&shape, &buffers, splits).await?);
                    for launches in [&mut self.few, &mut self.many] {
                        launches.layers.push(self.kernels.attend_prefill(&shape, &buffers).await?);
                    }
                }
            }
        }
        self.prepare_head(loader).await
    }

    async fn prepare_embedding(&mut self, loader: &mut Loader<'_>, weight: &Weight) -> Result<(), Error> {
        for table in loader.weight(weight).await? {
            for launches in [&mut self.one, &mut self.few, &mut self.many] {
                let hidden = &self.activations.hidden;
                launches
                    .layers
                    .extend(embed_rows(&mut self.kernels, &table, &self.steering.tokens, hidden).await?);
            }
        }
        Ok(())
    }

    fn activation(&self, activation: Activation) -> (&wgpu::Buffer, usize) {
        let dims = &self.plan.dims;
        let (buffer, width) = match activation {
            Activation::Hidden => (&self.activations.hidden, dims.hidden_size),
            Activation::Qkv => (&self.activations.qkv, (dims.n_heads + 2 * dims.n_kv_heads) * dims.head_dim),
            Activation::Attended => (&self.activations.attended, dims.n_heads * dims.head_dim),
            Activation::Inner => (&self.activations.inner, dims.intermediate_size),
        };
        (buffer, align_row(width))
    }

    async fn prepare_projection(
        &mut self,
        loader: &mut Loader<'_>,
        projection: &Projection,
    ) -> Result<(), Error> {
        let norm = match &projection.norm {
            Some(norm) => Some(loader.norm(norm).await?),
            None => None,
        };
        let bias = match &projection.bias {
            Some(parts) => Some(loader.vector(parts).await?),
            None => None,
        };
        let matrices = loader.weight(&projection.weight).await?;
        let (x, _) = self.activation(projection.input);
        let (y, y_stride) = self.activation(projection.output);
        let (x, y) = (x.clone(), y.clone());
        let epilogue = epilogue(projection.then);
        let mut first_output = 0;
        let mut projects = Vec::new();
        for matrix in matrices {
            let outputs = if epilogue == Epilogue::SiluMul { matrix.n_rows / 2 } else { matrix.n_rows };
            projects.push(Project {
                matrix,
                x: x.clone(),
                y: y.clone(),
                y_stride,
                first_output,
                bias: bias.clone(),
                epilogue,
            });
            first_output += outputs;
        }
        for project in &projects {
            self.one.layers.extend(gemv(&mut self.kernels, project, norm.as_ref()).await?);
        }
        if norm.is_some() {
            for project in &mut projects {
                project.x = self.activations.normed.clone();
            }
        }
        let n_cols = projects[0].matrix.k;
        for (launches, max_rows) in [(&mut self.few, FEW), (&mut self.many, self.options.chunk)] {
            if let Some(norm) = &norm {
                let (state, normed) = (&self.steering.state, &self.activations.normed);
                let rows = NormRows::All;
                launches.layers.push(norm_rms(&mut self.kernels, state, &x, norm, n_cols, rows, normed).await?);
            }
            for project in &projects {
                launches.layers.extend(gemm(&mut self.kernels, project, NormRows::All, max_rows).await?);
            }
        }
        Ok(())
    }

    async fn prepare_head(&mut self, loader: &mut Loader<'_>) -> Result<(), Error> {
        let head = self.plan.head.clone();
        let norm: FusedNorm = loader.norm(&head.norm).await?;
        let matrices: Vec<Rc<DeviceMatrix>> = loader.weight(&head.weight).await?;
        let n_cols = self.plan.dims.hidden_size;
        let (hidden, head_in) = (self.activations.hidden.clone(), self.activations.head_in.clone());
        for launches in [&mut self.one, &mut self.many] {
            let state = &self.steering.state;
            let rows = NormRows::Outputs;
            launches
                .head
                .push(norm_rms(&mut self.kernels, state, &hidden, &norm, n_cols, rows, &head_in).await?);
        }
        for matrix in matrices {
            let project = Project {
                matrix,
                x: head_in.clone(),
                y: self.activations.logits.clone(),
                y_stride: self.logits_stride,
                first_output: 0,
                bias: None,
                epilogue: Epilogue::Store,
            };
            self.one.head.extend(gemv(&mut self.kernels, &project, None).await?);
            self.many.head.extend(gemm(&mut self.kernels, &project, NormRows::Outputs, MAX_OUTPUTS).await?);
        }
        Ok(())
    }

    /// Runs one step of each kind, so that no pipeline is compiled by the driver while somebody waits for a token.
    async fn warm_up(&mut self) -> Result<(), Error> {
        let mut sequence = Sequence::default();
        let tokens = vec![0; 2.min(self.options.context_length)];
        self.prefill(&mut sequence, &tokens)?;
        let n = self
            .prepare_sampling(&SamplerSettings {
                temperature: 0.0,
                top_k: 0,
                top_p: 1.0,
                min_p: 0.0,
                repetition_penalty: 1.0,
                presence_penalty: 0.0,
                frequency_penalty: 0.0,
                n_vocab: self.plan.dims.vocab_size as u32,
            })
            .await?;
        self.sample_step(&sequence, n, 0, 0).wait(&self.gpu).await?;
        sequence.truncate(0, &mut self.pool);
        Ok(())
    }

    /// Dispatches and weight bytes of one decode step with sampling.
    pub(crate) fn decode_cost(&self) -> StepCost {
        let sampler = self.samplers.values().next().map_or(0, Vec::len);
        let launches = || self.one.layers.iter().chain(&self.one.head);
        StepCost {
            dispatches: launches().count() + sampler,
            weight_bytes: launches().map(|l| l.weight_bytes).sum(),
        }
    }

    /// Dispatches of a decode step in one layer, the largest over layers.
    pub(crate) fn decode_dispatches_per_layer(&self) -> f64 {
        self.one.layers.len() as f64 / self.plan.dims.n_layers as f64
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

    fn run<'a>(launches: impl IntoIterator<Item = &'a Launch>, step: &mut Step<'a>, shape: &StepShape) {
        for launch in launches {
            step.run(&launch.dispatch, launch.grid(shape));
        }
    }

    /// Puts `tokens` into the cache, at most a chunk of them, and leaves their hidden states for [`Self::head`].
    fn prefill_chunk(&mut self, sequence: &mut Sequence, tokens: &[u32]) -> Result<StepState, Error> {
        let position = sequence.len();
        self.reserve(sequence, position + tokens.len())?;
        self.gpu.write(&self.steering.tokens, 0, bytemuck::cast_slice(tokens));
        let state =
            StepState { position: position as u32, n_tokens: tokens.len() as u32, ..StepState::default() };
        self.write_state(&state);
        let shape =
            StepShape { n_tokens: state.n_tokens, n_kv: state.position + state.n_tokens, n_outputs: 0 };
        let launches = match tokens.len() {
            1 => &self.one,
            2..=FEW => &self.few,
            _ => &self.many,
        };
        let mut step = self.gpu.step();
        Self::run(&launches.layers, &mut step, &shape);
        step.submit();
        sequence.push(tokens);
        Ok(state)
    }

    /// Logits of `n` rows of the last chunk, from row `first`, into the logits buffer.
    fn head(&self, last: StepState, first: usize, n: usize) -> Step<'_> {
        self.write_state(&StepState { output_row: first as u32, ..last });
        let shape =
            StepShape { n_tokens: last.n_tokens, n_kv: last.position + last.n_tokens, n_outputs: n as u32 };
        let mut step = self.gpu.step();
        Self::run(if n == 1 { &self.one.head } else { &self.many.head }, &mut step, &shape);
        step
    }

    /// Prefills all of `tokens`, in chunks, and computes the logits of the last one.
    pub(crate) fn prefill(&mut self, sequence: &mut Sequence, tokens: &[u32]) -> Result<(), Error> {
        let mut last = None;
        for chunk in tokens.chunks(self.options.chunk) {
            last = Some(self.prefill_chunk(sequence, chunk)?);
        }
        if let Some(last) = last {
            self.head(last, last.n_tokens as usize - 1, 1).submit();
        }
        Ok(())
    }

    /// Prefills a chunk and reads the logits of every position of it, `[tokens.len(), vocab_size]`.
    pub(crate) async fn prefill_logits(
        &mut self,
        sequence: &mut Sequence,
        tokens: &[u32],
    ) -> Result<Vec<f32>, Error> {
        let last = self.prefill_chunk(sequence, tokens)?;
        let mut all = Vec::with_capacity(tokens.len() * self.plan.dims.vocab_size);
        for first in (0..tokens.len()).step_by(MAX_OUTPUTS) {
            let n = MAX_OUTPUTS.min(tokens.len() - first);
            self.head(last, first, n).submit();
            all.extend(self.read_logits(n).await?);
        }
        Ok(all)
    }

    /// The first `n` rows of the logits buffer.
    pub(crate) async fn read_logits(&self, n: usize) -> Result<Vec<f32>, Error> {
        let bytes = self.gpu.read(&self.activations.logits, 0, (n * self.logits_stride * 4) as u64).await?;
        let rows = bytemuck::pod_collect_to_vec::<u8, f32>(&bytes);
        Ok(rows
            .chunks(self.logits_stride)
            .flat_map(|row| &row[..self.plan.dims.vocab_size])
            .copied()
            .collect())
    }

    /// Uploads the settings of a generation; returns the key for [`Self::sample_step`].
    pub(crate) async fn prepare_sampling(&mut self, settings: &SamplerSettings) -> Result<usize, Error> {
        self.gpu.write(&self.steering.sampler, 0, bytemuck::bytes_of(settings));
        let keep = keep_for(settings);
        if !self.samplers.contains_key(&keep) {
            let n_vocab = self.plan.dims.vocab_size;
            let buffers = SampleBuffers {
                state: &self.steering.state,
                sampler: &self.steering.sampler,
                logits: &self.activations.logits,
                counts: &self.steering.counts,
                candidates: &self.steering.candidates,
                tokens: &self.steering.tokens,
                ring: &self.steering.ring,
            };
            let launches = vec![
                select_candidates(&mut self.kernels, &buffers, n_vocab, keep).await?,
                sample_token(&mut self.kernels, &buffers, candidate_count(n_vocab, keep)).await?,
            ];
            self.samplers.insert(keep, launches);
        }
        Ok(keep)
    }

    /// Tells the penalties which tokens the prompt holds and that the output is empty.
    pub(crate) fn reset_counts(&self, prompt: &[u32]) {
        let mut counts = vec![0u32; self.plan.dims.vocab_size];
        for &token in prompt {
            counts[token as usize] = 1 << 31;
        }
        self.gpu.write(&self.steering.counts, 0, bytemuck::cast_slice(&counts));
    }

    /// Samples from the logits of the last step; the token becomes the input of [`Self::decode_step`].
    pub(crate) fn sample_step(
        &mut self,
        sequence: &Sequence,
        sampler: usize,
        seed: u32,
        index: usize,
    ) -> Readback {
        let state = StepState {
            position: sequence.len() as u32,
            n_tokens: 1,
            sample_index: index as u32,
            seed,
            ring_slot: (index % RING) as u32,
            ..StepState::default()
        };
        self.write_state(&state);
        let staging = self.staging();
        let shape = StepShape { n_tokens: 1, n_kv: state.position, n_outputs: 1 };
        let mut step = self.gpu.step();
        Self::run(&self.samplers[&sampler], &mut step, &shape);
        step.submit_and_read(&self.steering.ring, u64::from(state.ring_slot) * 4, &staging, 4)
    }

    /// Runs the model on the token sampled last, which only the GPU may know yet, and samples the next one: one pass,
    /// one submit. `position` is where that token goes.
    pub(crate) fn decode_step(
        &mut self,
        sequence: &mut Sequence,
        position: usize,
        sampler: usize,
        seed: u32,
        index: usize,
    ) -> Result<Readback, Error> {
        self.reserve(sequence, position + 1)?;
        let state = StepState {
            position: position as u32,
            n_tokens: 1,
            output_row: 0,
            sample_index: index as u32,
            seed,
            ring_slot: (index % RING) as u32,
            ..StepState::default()
        };
        self.write_state(&state);
        let staging = self.staging();
        let shape = StepShape { n_tokens: 1, n_kv: state.position + 1, n_outputs: 1 };
        let mut step = self.gpu.step();
        Self::run(&self.one.layers, &mut step, &shape);
        Self::run(&self.one.head, &mut step, &shape);
        Self::run(&self.samplers[&sampler], &mut step, &shape);
        Ok(step.submit_and_read(&self.steering.ring, u64::from(state.ring_slot) * 4, &staging, 4))
    }

    fn staging(&mut self) -> wgpu::Buffer {
        self.next_staging = (self.next_staging + 1) % self.steering.staging.len();
        self.steering.staging[self.next_staging].clone()
    }
}

/// Splits of decode attention at the end of the context.
fn max_splits(plan: &Plan, context_length: usize) -> Result<usize, Error> {
    let split = decode_split(plan.dims.n_heads / plan.dims.n_kv_heads, plan.dims.head_dim)?;
    Ok(context_length.next_multiple_of(PAGE).div_ceil(split))
}

async fn activations(gpu: &Gpu, plan: &Plan, options: EngineOptions) -> Result<Activations, Error> {
    let dims = &plan.dims;
    let rows = options.chunk.next_multiple_of(GEMM_MAX_TILE_M as usize);
    let outputs = MAX_OUTPUTS.next_multiple_of(GEMM_MAX_TILE_M as usize);
    let matrix = async |label: &str, rows: usize, width: usize| {
        gpu.buffer(label, (rows * align_row(width) * 4) as u64, Usage::Storage).await
    };
    let heads = dims.n_heads * dims.head_dim;
    Ok(Activations {
        hidden: matrix("hidden states", rows, dims.hidden_size).await?,
        normed: matrix("normalised states", rows, dims.hidden_size).await?,
        qkv: matrix("projected heads", rows, heads + 2 * dims.n_kv_heads * dims.head_dim).await?,
        q: matrix("queries", rows, heads).await?,
        attended: matrix("attention output", rows, heads).await?,
        inner: matrix("feed-forward states", rows, dims.intermediate_size).await?,
        head_in: matrix("output states", outputs, dims.hidden_size).await?,
        logits: matrix("logits", outputs, dims.vocab_size).await?,
    })
}

async fn steering(
    gpu: &Gpu,
    plan: &Plan,
    options: EngineOptions,
    pool: &PagePool,
) -> Result<Steering, Error> {
    let dims = &plan.dims;
    let storage = async |label: &str, bytes: usize| gpu.buffer(label, bytes as u64, Usage::Storage).await;
    let positions = pool.n_pages() * PAGE;
    let rope = storage("rotary tables", positions * plan.rope.rotary_dim * 4).await?;
    for first in (0..positions).step_by(4096) {
        let table = plan.rope.table(first..positions.min(first + 4096));
        gpu.write(&rope, (first * plan.rope.rotary_dim * 4) as u64, bytemuck::cast_slice(&table));
    }
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
        rope,
        partial: storage("attention splits", splits * dims.head_dim * 4).await?,
        stats: storage("attention split statistics", splits * 8).await?,
        staging,
    })
}
