//! Log probabilities of tokens.

use bytemuck::NoUninit;
use minijinja::context;
use qwill_gpu::{Binding, Buffer, Grid, KernelSource};

use crate::{Cost, Error, Kernels, Launch, StepShape, Templates, align_row};

/// Buffers of reports.
#[derive(Debug, Clone, Copy)]
pub struct ReportBuffers<'a> {
    /// [`crate::StepParts`].
    pub step: &'a Buffer,
    /// `[n_outputs, align_row(n_vocab)]` f32.
    pub logits: &'a Buffer,
    /// The tokens of this step, `[Reports::first]` u32, and behind them the reports, `[n_reports, Reports::words]`.
    pub drawn: &'a Buffer,
}

/// How reports lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reports {
    /// Rows of the vocabulary.
    pub n_vocab: usize,
    /// Words before them.
    pub first: usize,
    /// Most tokens that one lists.
    pub max_top: usize,
}

impl Reports {
    /// Words of one: bits of the token's log probability, then id and bits of the log probability of each that it lists.
    pub const fn words(self) -> usize {
        1 + 2 * self.max_top
    }
}

#[repr(C)]
#[derive(Clone, Copy, NoUninit)]
struct ReportParams {
    logits_stride: u32,
    n_vocab: u32,
    first_report: u32,
    report_stride: u32,
}

pub(crate) fn source(templates: &Templates) -> KernelSource {
    KernelSource {
        name: "report_logprobs".into(),
        wgsl: templates.render("sample/report_logprobs.wgsl", context! {}),
        bindings: vec![
            Binding::Params(size_of::<ReportParams>()),
            Binding::Read,
            Binding::Read,
            Binding::ReadWrite,
        ],
        constants: vec![],
    }
}

pub(crate) async fn bind(
    kernels: &mut Kernels,
    buffers: &ReportBuffers<'_>,
    reports: Reports,
    source: &KernelSource,
) -> Result<Launch, Error> {
    let params = ReportParams {
        logits_stride: align_row(reports.n_vocab) as u32,
        n_vocab: reports.n_vocab as u32,
        first_report: reports.first as u32,
        report_stride: reports.words() as u32,
    };
    let bound = [buffers.step, buffers.logits, buffers.drawn];
    let grid = |step: &StepShape| Grid([step.n_reports, 1, 1]);
    let launch = kernels.launch("report_logprobs", source, Some(&params), &bound, grid).await?;
    // the second pass finds the logits in a cache
    let cost = Cost::bytes(4 * reports.n_vocab);
    Ok(launch.costing(format!("of {}", reports.n_vocab), move |step| cost * step.n_reports))
}
