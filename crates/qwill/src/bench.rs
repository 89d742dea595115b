//! How fast it is, and what explains it.

mod parallel;

use qwill_engine::Engine;
use qwill_gpu::Usage;
use qwill_kernels::PAGE;
use qwill_models::step::{Among, Output, Source, Step, Want};
use qwill_scheduler::{Rows, Wanted, What};
use serde::Serialize;
use web_time::Instant;

pub use self::parallel::ParallelRun;
use crate::driver::{Cache, Facts};
use crate::requests::{Generation, Reading};
use crate::spread::median;
use crate::timings::Clock;
use crate::{Error, LoadOptions, Model, ProfileReport, Spread, Timings};

/// What to measure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BenchRequest {
    /// Tokens of the prompt.
    pub prompt_tokens: usize,
    /// Tokens to decode.
    pub decode_tokens: usize,
    /// Tokens in the cache before the prompt, one measurement each.
    pub depths: Vec<usize>,
    /// Numbers of texts at once, one measurement each; nothing is in the cache before them.
    pub parallel: Vec<usize>,
    /// Repetitions.
    pub runs: usize,
}

impl Default for BenchRequest {
    fn default() -> Self {
        Self { prompt_tokens: 512, decode_tokens: 128, depths: vec![0], parallel: vec![], runs: 5 }
    }
}

impl BenchRequest {
    /// Tokens of a text at its longest.
    fn longest(&self) -> usize {
        let deepest = self.depths.iter().max().copied().unwrap_or(0);
        deepest + self.prompt_tokens + self.decode_tokens
    }

    /// Fills in what a model must be loaded with for this: a context as long as the longest text, and where several texts run
    /// at once, a place and room in the cache for each. What is set stays.
    ///
    /// ```
    /// use qwill::{BenchRequest, LoadOptions};
    ///
    /// let request = BenchRequest { parallel: vec![1, 16], ..BenchRequest::default() };
    /// let options = request.load_options(LoadOptions::default());
    /// assert_eq!((options.context_length, options.max_sequences), (Some(512 + 128), Some(16)));
    /// ```
    pub fn load_options(&self, mut options: LoadOptions) -> LoadOptions {
        let most = self.parallel.iter().max().copied().unwrap_or(0);
        // steps are no longer than the context, and have a token for each text
        options.context_length.get_or_insert(self.longest().max(most));
        if most > 0 {
            options.max_sequences.get_or_insert(most);
            // every text begins a page of its own
            let text = (self.prompt_tokens + self.decode_tokens).next_multiple_of(PAGE);
            options.cache_tokens.get_or_insert(most * text);
        }
        options
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
    /// One for each number of texts at once.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parallel: Vec<ParallelRun>,
    /// One for each depth, where kernels were timed too: see [`Model::profile`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub profile: Vec<ProfileReport>,
}

impl Model {
    /// Measures prefill and decode of one text at a time, and of several at once where the request says so. Texts beyond
    /// [`LoadOptions::max_sequences`] wait for others to end: see [`BenchRequest::load_options`].
    ///
    /// ```no_run
    /// # async fn example(model: &qwill::Model) -> Result<(), qwill::Error> {
    /// let report = model.bench(&qwill::BenchRequest::default()).await?;
    /// println!("{:.1} tokens a second", report.results[0].decode_tps.median);
    /// # Ok(()) }
    /// ```
    pub async fn bench(&self, request: &BenchRequest) -> Result<BenchReport, Error> {
        let Facts { plan, engine: options, .. } = self.facts();
        self.check_generates()?;
        let needed = request.longest();
        let context_length = options.context_length;
        if needed > context_length || request.prompt_tokens == 0 || request.runs == 0 {
            return Err(Error::Request(format!(
                "the benchmark needs a prompt, a run and a context of {needed} tokens; the model was loaded with \
                 {context_length}"
            )));
        }
        if request.parallel.contains(&0) {
            return Err(Error::Request(
                "0 texts at once were asked for; the benchmark runs 1 or more".into(),
            ));
        }
        let (cost, per_layer) = self
            .handle()
            .with_engine(Cache::Kept, async |engine| {
                (engine.decode_cost(), engine.decode_dispatches_per_layer())
            })
            .await?;
        let copy_gbps = self.handle().with_engine(Cache::Kept, copy_bandwidth).await??;
        let mut results = Vec::new();
        let mut submits_per_token = 0.0;
        for &depth in &request.depths {
            let (mut prefill, mut ttft, mut decode) = (vec![], vec![], vec![]);
            for _ in 0..request.runs {
                let (timings, submits) = self.run_once(request, depth).await?;
                if request.decode_tokens > 1 {
                    let chunks = request.prompt_tokens.div_ceil(options.chunk) as u64;
                    let decoded = (request.decode_tokens - 1) as f64;
                    submits_per_token = submits.saturating_sub(chunks) as f64 / decoded;
                    decode.push(timings.decode_tps);
                }
                prefill.push(timings.prefill_tps);
                ttft.push(timings.prefill_ms);
            }
            let decode_tps = Spread::of(decode);
            let dims = &plan.dims;
            let middle = depth + request.prompt_tokens + request.decode_tokens / 2;
            let vector_bytes = options.kv.vector_bytes(dims.head_dim);
            let kv_bytes = 2 * dims.n_layers * dims.n_kv_heads * vector_bytes * middle;
            let bytes = cost.weight_bytes + kv_bytes as u64;
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
        let mut parallel = Vec::new();
        for &n_texts in &request.parallel {
            parallel.push(self.bench_parallel(request, n_texts).await?);
        }
        let cpu_ms_per_token = self.handle().with_engine(Cache::Overwritten, cpu_ms_per_token).await??;
        let info = self.info();
        Ok(BenchReport {
            model: info.name,
            gpu: info.gpu,
            backend: info.backend,
            capabilities: info.capabilities,
            prompt_tokens: request.prompt_tokens,
            decode_tokens: request.decode_tokens,
            runs: request.runs,
            load_ms: self.load_ms(),
            dispatches_per_token: cost.dispatches,
            dispatches_per_layer: per_layer,
            submits_per_token,
            cpu_ms_per_token,
            weight_bytes_per_token: cost.weight_bytes,
            copy_gbps,
            results,
            parallel,
            profile: Vec::new(),
        })
    }

    /// A prompt behind `depth` tokens, and tokens behind it: how long that takes, and how many submits.
    async fn run_once(&self, request: &BenchRequest, depth: usize) -> Result<(Timings, u64), Error> {
        let n_vocab = self.facts().plan.dims.vocab_size;
        let prompt: Vec<u32> =
            (0..depth + request.prompt_tokens).map(|i| (i * 7919 % n_vocab) as u32).collect();
        let adapters = self.resolve_adapters(None)?;
        self.reset().await?;
        if depth > 0 {
            let (ids, rows, want) = (prompt[..depth].to_vec(), Rows::Last, Wanted::State);
            self.read(Reading { ids, adapters: adapters.clone(), chunk: None, rows, want }).await?;
        }
        let submits = async || {
            let totals = self.handle().with_engine(Cache::Kept, async |engine| engine.gpu.totals());
            totals.await.map(|totals| totals.submits)
        };
        let before = submits().await?;
        let mut clock = Clock::start();
        let mut signals =
            self.generate(Generation::greedy(prompt, adapters, n_vocab, request.decode_tokens.max(1)))?;
        while let Some(what) = signals.next().await.transpose()? {
            if let What::Token(_) = what {
                clock.token();
            }
        }
        Ok((clock.timings(request.prompt_tokens), submits().await? - before))
    }
}

/// What the calling thread spends on a decode step, milliseconds. The device is idle before each: where it is not, some
/// drivers let the thread wait for it.
async fn cpu_ms_per_token(engine: &mut Engine) -> Result<f64, Error> {
    let mut spent = Vec::new();
    for index in 0..8 {
        engine.gpu.flush().await?;
        let started = Instant::now();
        let draw = Output { row: 0, want: Want::Token { among: Among::All, seed: 0, index, logprobs: None } };
        let token = engine.submit(&Step::of_one(0, vec![Source::Id(0)], vec![draw]), Vec::new).await?;
        spent.push(started.elapsed().as_secs_f64() * 1e3);
        token.answers().await?;
    }
    Ok(median(spent.into_iter()))
}

/// Bytes that the device moves a second when it copies a buffer (read plus written), in 10^9.
async fn copy_bandwidth(engine: &mut Engine) -> Result<f64, Error> {
    let gpu = &engine.gpu;
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
