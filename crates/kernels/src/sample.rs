//! Choosing the next token.

use bytemuck::NoUninit;
use minijinja::context;
use qwill_gpu::{Binding, Buffer, Grid, KernelSource};

use crate::sampler::CHUNK;
use crate::{Cost, DrawClass, Error, Kernels, Launch, StepShape, Templates, align_row};

/// Buffers of sampling.
#[derive(Debug, Clone, Copy)]
pub struct SampleBuffers<'a> {
    /// [`crate::StepParts`].
    pub step: &'a Buffer,
    /// `[n_slots]` of [`crate::SamplerSettings`].
    pub samplers: &'a Buffer,
    /// `[n_outputs, align_row(n_vocab)]` f32.
    pub logits: &'a Buffer,
    /// `[n_slots, n_vocab]` u32: bit 31 in the prompt, the rest times in the output.
    pub counts: &'a Buffer,
    /// `[n_slots, Draws::bias_stride]` of [`crate::LogitBias`].
    pub biases: &'a Buffer,
    /// `[n_slots, Draws::allowed_stride]` u32: 0 where any token may be drawn, and behind it a bit for each token that may,
    /// the lowest first.
    pub allowed: &'a Buffer,
    /// `[n_outputs, Draws::candidate_stride]` of value bits and id.
    pub candidates: &'a Buffer,
    /// `[n_slots]` u32: the token that was sampled last.
    pub next: &'a Buffer,
    /// `[n_outputs]` u32: the tokens of this step.
    pub drawn: &'a Buffer,
}

#[repr(C)]
#[derive(Clone, Copy, NoUninit)]
struct SelectParams {
    logits_stride: u32,
    n_vocab: u32,
    candidate_stride: u32,
    bias_stride: u32,
    allowed_stride: u32,
}

#[repr(C)]
#[derive(Clone, Copy, NoUninit)]
struct SampleParams {
    n_candidates: u32,
    candidate_stride: u32,
    n_vocab: u32,
    class_of_draws: u32,
}

pub(crate) fn select_source(templates: &Templates, class: DrawClass) -> KernelSource {
    let keep = class.keep();
    KernelSource {
        name: format!("select_candidates keep{keep}"),
        wgsl: templates.render("sample/select_candidates.wgsl", context! { keep, class => class as usize }),
        bindings: vec![
            Binding::Params(size_of::<SelectParams>()),
            Binding::Read,
            Binding::Read,
            Binding::Read,
            Binding::Read,
            Binding::ReadWrite,
            Binding::Read,
            Binding::Read,
        ],
        constants: vec![],
    }
}

pub(crate) fn sample_source(templates: &Templates) -> KernelSource {
    KernelSource {
        name: "sample_token".into(),
        wgsl: templates.render("sample/sample_token.wgsl", context! {}),
        bindings: vec![
            Binding::Params(size_of::<SampleParams>()),
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

/// Which draws are made, and among how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Draws {
    /// Whose outputs they are made for.
    pub class: DrawClass,
    /// Rows of the vocabulary, elements of a row of counts.
    pub n_vocab: usize,
    /// Candidates of an output.
    pub n_candidates: usize,
    /// Elements of a row of candidates.
    pub candidate_stride: usize,
    /// Most biases of a slot.
    pub bias_stride: usize,
}

impl Draws {
    /// Those of a class from a vocabulary of `n_vocab` rows, for slots of up to `bias_stride` biases; candidates of all
    /// classes share a buffer.
    pub fn new(class: DrawClass, n_vocab: usize, bias_stride: usize) -> Self {
        let [n_candidates, candidate_stride] =
            [class, DrawClass::All].map(|class| class.n_candidates(n_vocab));
        Self { class, n_vocab, n_candidates, candidate_stride, bias_stride }
    }

    /// Words of a slot's allowed tokens.
    pub fn allowed_stride(self) -> usize {
        1 + self.n_vocab.div_ceil(32)
    }

    /// How many are made in a step.
    fn count(self, step: &StepShape) -> u32 {
        step.draws[self.class as usize]
    }
}

pub(crate) async fn bind_select(
    kernels: &mut Kernels,
    buffers: &SampleBuffers<'_>,
    draws: Draws,
    source: &KernelSource,
) -> Result<Launch, Error> {
    let Draws { class, n_vocab, n_candidates, candidate_stride, bias_stride } = draws;
    let params = SelectParams {
        logits_stride: align_row(n_vocab) as u32,
        n_vocab: n_vocab as u32,
        candidate_stride: candidate_stride as u32,
        bias_stride: bias_stride as u32,
        allowed_stride: draws.allowed_stride() as u32,
    };
    let bound = [
        buffers.step,
        buffers.samplers,
        buffers.logits,
        buffers.counts,
        buffers.candidates,
        buffers.biases,
        buffers.allowed,
    ];
    let chunks = n_vocab.div_ceil(CHUNK) as u32;
    let grid = move |step: &StepShape| Grid([chunks, draws.count(step), 1]);
    let launch = kernels.launch("select_candidates", source, Some(&params), &bound, grid).await?;
    let cost = Cost::bytes(8 * n_vocab + 8 * n_candidates);
    Ok(launch.costing(format!("{} of {CHUNK}", class.keep()), move |step| cost * draws.count(step)))
}

pub(crate) async fn bind_sample(
    kernels: &mut Kernels,
    buffers: &SampleBuffers<'_>,
    draws: Draws,
    source: &KernelSource,
) -> Result<Launch, Error> {
    let params = SampleParams {
        n_candidates: draws.n_candidates as u32,
        candidate_stride: draws.candidate_stride as u32,
        n_vocab: draws.n_vocab as u32,
        class_of_draws: draws.class as u32,
    };
    let bound =
        [buffers.step, buffers.samplers, buffers.candidates, buffers.next, buffers.drawn, buffers.counts];
    let grid = move |step: &StepShape| Grid([draws.count(step), 1, 1]);
    let launch = kernels.launch("sample_token", source, Some(&params), &bound, grid).await?;
    let cost = Cost::bytes(8 * draws.n_candidates);
    Ok(launch.costing(format!("of {}", draws.n_candidates), move |step| cost * draws.count(step)))
}
