//! Choosing the next token.

use bytemuck::NoUninit;
use minijinja::context;
use qwill_gpu::{Binding, Buffer, Grid, KernelSource};

use crate::{Cost, Error, Kernels, Launch, StepShape, Templates};

/// Logits that one workgroup looks through.
pub(crate) const CHUNK: usize = 1024;

/// Settings of a generation, as `shaders/shared/sampler.wgsl` lays them out.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, NoUninit)]
pub struct SamplerSettings {
    /// 0: greedy.
    pub temperature: f32,
    /// 0: off.
    pub top_k: u32,
    /// 1: off.
    pub top_p: f32,
    /// 0: off.
    pub min_p: f32,
    /// 1: off.
    pub repetition_penalty: f32,
    /// 0: off.
    pub presence_penalty: f32,
    /// 0: off.
    pub frequency_penalty: f32,
    /// Ids from here on are never sampled.
    pub n_vocab: u32,
}

/// Buffers of sampling.
#[derive(Debug, Clone, Copy)]
pub struct SampleBuffers<'a> {
    /// [`crate::StepState`].
    pub state: &'a Buffer,
    /// [`SamplerSettings`].
    pub sampler: &'a Buffer,
    /// `[n_vocab]` f32.
    pub logits: &'a Buffer,
    /// `[n_vocab]` u32: bit 31 in the prompt, the rest times in the output.
    pub counts: &'a Buffer,
    /// `[chunks, keep]` of value bits and id.
    pub candidates: &'a Buffer,
    /// Input tokens of the next step.
    pub tokens: &'a Buffer,
    /// Sampled tokens on their way to the CPU.
    pub ring: &'a Buffer,
}

/// Candidates that each chunk must keep for these settings: 1 when greedy, all when nothing bounds their number.
pub fn keep_for(settings: &SamplerSettings) -> usize {
    match settings.top_k {
        _ if settings.temperature <= 0.0 => 1,
        1 => 1,
        2..=64 => 64,
        _ => CHUNK,
    }
}

/// Candidates in all for a vocabulary of `n_vocab` rows.
pub fn candidate_count(n_vocab: usize, keep: usize) -> usize {
    n_vocab.div_ceil(CHUNK) * keep
}

pub(crate) fn select_source(templates: &Templates, keep: usize) -> KernelSource {
    KernelSource {
        name: format!("select_candidates keep{keep}"),
        wgsl: templates.render("sample/select_candidates.wgsl", context! { keep }),
        bindings: vec![Binding::Read, Binding::Read, Binding::Read, Binding::ReadWrite],
        constants: vec![],
    }
}

pub(crate) fn sample_source(templates: &Templates) -> KernelSource {
    KernelSource {
        name: "sample_token".into(),
        wgsl: templates.render("sample/sample_token.wgsl", context! {}),
        bindings: vec![
            Binding::Params(size_of::<u32>()),
            Binding::Read,
            Binding::Read,
            Binding::Read,
            Binding::ReadWrite,
            Binding::ReadWrite,
            Binding::ReadWrite,
        ],
        constants: vec![],
    }
}

/// Penalties, temperature and the best `keep` of every chunk.
pub async fn select_candidates(
    kernels: &mut Kernels,
    buffers: &SampleBuffers<'_>,
    n_vocab: usize,
    keep: usize,
) -> Result<Launch, Error> {
    let source = select_source(&kernels.templates, keep);
    let bound = [buffers.sampler, buffers.logits, buffers.counts, buffers.candidates];
    let chunks = n_vocab.div_ceil(CHUNK) as u32;
    let grid = move |_: &StepShape| Grid([chunks, 1, 1]);
    let launch = kernels.launch::<u32>("select_candidates", &source, None, &bound, grid).await?;
    let cost = Cost::bytes(8 * n_vocab + 8 * candidate_count(n_vocab, keep));
    Ok(launch.costing(format!("{keep} of {CHUNK}"), move |_| cost))
}

/// Draws a token from `n_candidates`.
pub async fn sample_token(
    kernels: &mut Kernels,
    buffers: &SampleBuffers<'_>,
    n_candidates: usize,
) -> Result<Launch, Error> {
    let source = sample_source(&kernels.templates);
    let bound =
        [buffers.state, buffers.sampler, buffers.candidates, buffers.tokens, buffers.ring, buffers.counts];
    let grid = |_: &StepShape| Grid([1, 1, 1]);
    let launch = kernels.launch("sample_token", &source, Some(&(n_candidates as u32)), &bound, grid).await?;
    let cost = Cost::bytes(8 * n_candidates);
    Ok(launch.costing(format!("of {n_candidates}"), move |_| cost))
}
