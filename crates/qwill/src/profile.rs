//! Where the time of a step goes: each kernel by the device's own clock, with what it moved and computed.

use std::ops::Range;
use std::time::Duration;

use qwill_engine::{Engine, Ready};
use serde::Serialize;
use web_time::Instant;

use qwill_gpu::{DeviceTimes, HostTimes};
use qwill_kernels::Cost;
use qwill_models::step::{Among, Begin, Output, Sampler, Source, Step, Want};

use crate::driver::Cache;
use crate::spread::median;
use crate::{Error, Model};

/// What to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProfileRequest {
    /// Tokens of the prompt; as many of them as fit a step are prefilled in one.
    pub prompt_tokens: usize,
    /// Tokens in the cache before the prompt.
    pub depth: usize,
    /// Repetitions, at least: short steps are repeated for half a second. The report has medians.
    pub runs: usize,
}

/// The two kinds of steps, kernel by kernel.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ProfileReport {
    /// A step of one token behind the prompt.
    pub decode: StepProfile,
    /// The first step of the prompt.
    pub prefill: StepProfile,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StepProfile {
    /// Tokens of the step.
    pub n_tokens: usize,
    /// Tokens in the cache before it.
    pub depth: usize,
    /// What the step takes when nothing is measured inside it, microseconds: from the submit until the device is done.
    pub step_us: f64,
    /// What its kernels take together, microseconds.
    pub kernels_us: f64,
    /// That as a share of the step.
    pub kernels_share: f64,
    /// What the calling thread spends on encoding and submitting it, microseconds.
    pub cpu_us: f64,
    /// Its kernels, those that take longest first.
    pub kernels: Vec<KernelProfile>,
}

/// Launches of a kernel that do the same.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct KernelProfile {
    /// The kernel.
    pub kernel: &'static str,
    /// Number format, sizes, and what is done to the product.
    pub detail: String,
    /// How often it is launched in the step.
    pub launches: usize,
    /// What all its launches take, microseconds.
    pub us: f64,
    /// That as a share of the step.
    pub share: f64,
    /// Bytes that it must read and write, in all launches: each operand once.
    pub bytes: u64,
    /// Additions and multiplications of floats in all launches.
    pub flops: u64,
    /// Bytes a second, in 10^9.
    pub gbps: f64,
    /// Additions and multiplications a second, in 10^9.
    pub gflops: f64,
}

impl Model {
    /// Measures each kernel of a decode step and of a prefill step; the device must have timestamps. Other requests wait.
    ///
    /// ```no_run
    /// # async fn example(model: &qwill::Model) -> Result<(), qwill::Error> {
    /// let request = qwill::ProfileRequest { prompt_tokens: 512, depth: 0, runs: 5 };
    /// for kernel in model.profile(&request).await?.decode.kernels {
    ///     println!("{} {}: {:.0} µs", kernel.kernel, kernel.detail, kernel.us);
    /// }
    /// # Ok(()) }
    /// ```
    pub async fn profile(&self, request: &ProfileRequest) -> Result<ProfileReport, Error> {
        self.check_generates()?;
        let ProfileRequest { prompt_tokens, depth, runs } = *request;
        let (needed, context_length) = (depth + prompt_tokens + 1, self.facts().engine.context_length);
        if needed > context_length || prompt_tokens == 0 || runs == 0 {
            return Err(Error::Request(format!(
                "the profile needs a prompt, a run and a context of {needed} tokens; the model was loaded with \
                 {context_length}"
            )));
        }
        let request = *request;
        let adapters = self.resolve_adapters(None)?;
        let profile = async move |engine: &mut Engine| profile(engine, request, adapters).await;
        self.handle().with_engine(Cache::Overwritten, profile).await?
    }
}

async fn profile(
    engine: &mut Engine,
    request: ProfileRequest,
    adapters: Vec<(u64, f32)>,
) -> Result<ProfileReport, Error> {
    let ProfileRequest { prompt_tokens, depth, runs } = request;
    let (n_vocab, chunk) = (engine.plan().dims.vocab_size, engine.options.chunk);
    let ids = |range: Range<usize>| range.map(|i| Source::Id((i * 7919 % n_vocab) as u32)).collect();
    let step = |position, tokens, outputs| {
        let mut step = Step::of_one(position, tokens, outputs);
        step.spans[0].adapters.clone_from(&adapters);
        step
    };
    // what lies in the cache before changes no kernel's time: only how much it is
    let first = step(depth, ids(depth..depth + prompt_tokens.min(chunk)), Vec::new());
    let written = engine.write(&first).await?;
    let prefill = measure(&engine.ready(&written), runs).await?;

    let draw = Output { row: 0, want: Want::Token { among: Among::All, seed: 0, index: 0, logprobs: None } };
    let mut next = step(depth + prompt_tokens, ids(0..1), vec![draw]);
    let sampler = Sampler::greedy(n_vocab as u32);
    next.begins.push(Begin { slot: 0, sampler, bias: Vec::new(), prompt: Vec::new(), drawn: Vec::new() });
    let written = engine.write(&next).await?;
    let decode = measure(&engine.ready(&written), runs).await?;
    Ok(ProfileReport { decode, prefill })
}

/// How long a step is repeated: single short ones tell little on a machine that does other things too.
const MEASURED: Duration = Duration::from_millis(500);

/// Runs a step at least `runs` times as usual and as often with its kernels timed, in turn.
async fn measure(step: &Ready<'_>, runs: usize) -> Result<StepProfile, Error> {
    // the first may have pipelines to finish and memory to touch
    step.record().submit_and_wait().await?;
    let (mut host, mut device) = (Vec::new(), Vec::new());
    let started = Instant::now();
    while host.len() < runs || started.elapsed() < MEASURED {
        host.push(step.record().submit_and_wait().await?);
        device.push(step.record().submit_timed().await?);
    }
    Ok(StepProfile::new(step, &host, &device))
}

impl StepProfile {
    fn new(step: &Ready<'_>, host: &[HostTimes], device: &[DeviceTimes]) -> Self {
        let step_us = median(host.iter().map(|times| times.step.as_secs_f64() * 1e6));
        let mut kernels: Vec<KernelProfile> = step
            .alike()
            .into_iter()
            .map(|indices| {
                let launch = step.launches[indices[0]];
                let time = |run: &DeviceTimes| indices.iter().map(|&i| run.dispatches[i]).sum::<f64>() / 1e3;
                let cost: Cost = indices.iter().map(|&i| step.launches[i].cost(&step.shape)).sum();
                let us = median(device.iter().map(time));
                KernelProfile {
                    kernel: launch.kernel,
                    detail: launch.detail.clone(),
                    launches: indices.len(),
                    us,
                    share: us / step_us,
                    bytes: cost.bytes,
                    flops: cost.flops,
                    gbps: cost.bytes as f64 / us / 1e3,
                    gflops: cost.flops as f64 / us / 1e3,
                }
            })
            .collect();
        kernels.sort_by(|a, b| b.us.total_cmp(&a.us));
        let kernels_us = kernels.iter().map(|kernel| kernel.us).sum();
        Self {
            n_tokens: step.shape.n_tokens as usize,
            depth: step.shape.spans.iter().map(|span| (span.n_kv - span.n_tokens) as usize).sum(),
            step_us,
            kernels_us,
            kernels_share: kernels_us / step_us,
            cpu_us: median(host.iter().map(|times| times.cpu.as_secs_f64() * 1e6)),
            kernels,
        }
    }
}
