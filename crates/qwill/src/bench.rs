//! How fast it is, and what explains it.

use serde::Serialize;
use web_time::Instant;

use qwill_gpu::Usage;
use qwill_models::step::{Output, Source, Want};

use crate::generate::{Generation, generate};
use crate::spread::median;
use crate::{Control, Error, Model, ProfileReport, SamplingOptions, Spread};

/// What to measure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BenchRequest {
    /// Tokens of the prompt.
    pub prompt_tokens: usize,
    /// Tokens to decode.
    pub decode_tokens: usize,
    /// Tokens in the cache before the prompt, one measurement each.
    pub depths: Vec<usize>,
    /// Repetitions.
    pub runs: usize,
}

impl Default for BenchRequest {
    fn default() -> Self {
        Self { prompt_tokens: 512, decode_tokens: 128, depths: vec![0], runs: 5 }
    }
}

/// Speeds at one depth.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct BenchRun {
    /// Tokens in the cache before.
    pub depth: usize,
    /// Prompt tokens a second.
    pub prefill_tps: Spread,
    /// Milliseconds to the first token.
    pub ttft_ms: Spread,
    /// Decoded tokens a second.
    pub decode_tps: Spread,
    /// Weight and cache bytes that decoding reads a second, in 10^9.
    pub decode_gbps: f64,
    /// That as a share of the copy bandwidth.
    pub bandwidth_share: f64,
}

/// A measurement with what explains it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BenchReport {
    /// The model.
    pub model: String,
    /// The GPU.
    pub gpu: String,
    /// Its driver interface.
    pub backend: String,
    /// What it can do.
    pub capabilities: String,
    /// Tokens of the prompt.
    pub prompt_tokens: usize,
    /// Tokens decoded.
    pub decode_tokens: usize,
    /// Repetitions.
    pub runs: usize,
    /// From files to a model that can run, milliseconds.
    pub load_ms: f64,
    /// Dispatches of a decode step, sampling included.
    pub dispatches_per_token: usize,
    /// Dispatches of a decode step in a layer.
    pub dispatches_per_layer: f64,
    /// Submits of a decode step.
    pub submits_per_token: f64,
    /// What the calling thread spends on encoding and submitting a decode step, milliseconds.
    pub cpu_ms_per_token: f64,
    /// Bytes of weights that a decode step reads.
    pub weight_bytes_per_token: u64,
    /// Bytes read and written a second by copying a buffer, in 10^9, measured in the same run.
    pub copy_gbps: f64,
    /// One for each depth.
    pub results: Vec<BenchRun>,
    /// One for each depth, where kernels were timed too: see [`Model::profile`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub profile: Vec<ProfileReport>,
}

impl Model {
    /// Measures prefill and decode.
    pub async fn bench(&mut self, request: &BenchRequest) -> Result<BenchReport, Error> {
        let adapters = &self.engine.resolve_adapters(None)?;
        let n_vocab = self.engine.plan.dims.vocab_size;
        let deepest = request.depths.iter().max().copied().unwrap_or(0);
        let needed = deepest + request.prompt_tokens + request.decode_tokens;
        let context_length = self.engine.options.context_length;
        if needed > context_length || request.prompt_tokens == 0 || request.runs == 0 {
            return Err(Error::Request(format!(
                "the benchmark needs a prompt, a run and a context of {needed} tokens; the model was loaded with \
                 {context_length}"
            )));
        }
        let copy_gbps = self.copy_bandwidth().await?;
        let mut results = Vec::new();
        let mut submits_per_token = 0.0;
        for &depth in &request.depths {
            let prompt: Vec<u32> =
                (0..depth + request.prompt_tokens).map(|i| (i * 7919 % n_vocab) as u32).collect();
            let (mut prefill, mut ttft, mut decode) = (vec![], vec![], vec![]);
            for _ in 0..request.runs {
                self.reset();
                self.engine.start(&mut self.sequence, &prompt, adapters);
                if depth > 0 {
                    let chunk = self.engine.options.chunk;
                    self.engine.read(&mut self.sequence, &prompt[..depth], chunk, |_| None).await?;
                }
                let sampler = SamplingOptions::greedy().resolve(&self.generation, n_vocab)?;
                let generation = Generation {
                    prompt: &prompt,
                    adapters,
                    sampler,
                    seed: 0,
                    max_tokens: request.decode_tokens.max(1),
                };
                let mut every = |_| Control::Continue;
                let before = self.engine.gpu.totals();
                let made = generate(&mut self.engine, &mut self.sequence, generation, &mut every).await?;
                let submits = self.engine.gpu.totals().submits - before.submits;
                let chunks = request.prompt_tokens.div_ceil(self.engine.options.chunk) as u64;
                if made.ids.len() > 1 {
                    submits_per_token = submits.saturating_sub(chunks) as f64 / (made.ids.len() - 1) as f64;
                    decode.push(made.timings.decode_tps);
                }
                prefill.push(made.timings.prefill_tps);
                ttft.push(made.timings.prefill_ms);
            }
            let decode_tps = Spread::of(decode);
            let dims = &self.engine.plan.dims;
            let middle = depth + request.prompt_tokens + request.decode_tokens / 2;
            let vector_bytes = self.engine.options.kv.vector_bytes(dims.head_dim);
            let kv_bytes = 2 * dims.n_layers * dims.n_kv_heads * vector_bytes * middle;
            let bytes = self.engine.decode_cost().weight_bytes + kv_bytes as u64;
            let decode_gbps = bytes as f64 * decode_tps.median / 1e9;
            results.push(BenchRun {
                depth,
                prefill_tps: Spread::of(prefill),
                ttft_ms: Spread::of(ttft),
                decode_tps,
                decode_gbps,
                bandwidth_share: decode_gbps / copy_gbps,
            });
        }
        let cpu_ms_per_token = self.cpu_ms_per_token().await?;
        let info = self.info();
        let cost = self.engine.decode_cost();
        Ok(BenchReport {
            model: info.name,
            gpu: info.gpu,
            backend: info.backend,
            capabilities: info.capabilities,
            prompt_tokens: request.prompt_tokens,
            decode_tokens: request.decode_tokens,
            runs: request.runs,
            load_ms: self.load_ms,
            dispatches_per_token: cost.dispatches,
            dispatches_per_layer: self.engine.decode_dispatches_per_layer(),
            submits_per_token,
            cpu_ms_per_token,
            weight_bytes_per_token: cost.weight_bytes,
            copy_gbps,
            results,
            profile: Vec::new(),
        })
    }

    /// What the calling thread spends on a decode step, milliseconds. The device is idle before each: where it is not, some
    /// drivers let the thread wait for it.
    async fn cpu_ms_per_token(&mut self) -> Result<f64, Error> {
        let position = self.sequence.len().saturating_sub(1);
        let mut spent = Vec::new();
        for index in 0..8 {
            self.engine.gpu.flush().await?;
            let started = Instant::now();
            let draw = Output { row: 0, want: Want::Token { seed: 0, index } };
            let step = self.engine.span(&mut self.sequence, position, vec![Source::Next], vec![draw])?;
            let token = self.engine.submit(&step).await?;
            spent.push(started.elapsed().as_secs_f64() * 1e3);
            token.answers().await?;
        }
        Ok(median(spent.into_iter()))
    }

    /// Bytes that the device moves a second when it copies a buffer (read plus written), in 10^9.
    async fn copy_bandwidth(&self) -> Result<f64, Error> {
        let gpu = self.gpu();
        let bytes: u64 = if gpu.caps().is_software { 32 << 20 } else { 256 << 20 };
        let bytes = bytes.min(gpu.caps().max_buffer);
        let source = gpu.buffer("copy source", bytes, Usage::Storage).await?;
        let target = gpu.buffer("copy target", bytes, Usage::Storage).await?;
        let mut best = f64::INFINITY;
        for _ in 0..4 {
            let rounds = 8;
            gpu.flush().await?;
            let started = Instant::now();
            gpu.copy(&source, &target, bytes, rounds);
            gpu.flush().await?;
            best = best.min(started.elapsed().as_secs_f64() / f64::from(rounds));
        }
        Ok(2.0 * bytes as f64 / best / 1e9)
    }
}
