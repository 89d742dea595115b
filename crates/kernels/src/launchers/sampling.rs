//! Choosing and reporting tokens.

use crate::{
    Draws, Error, Kernels, Launch, ReportBuffers, Reports, SampleBuffers, report, sample, self_test,
};

/// Biases, penalties, temperature and the best candidates of every chunk among the allowed tokens, for all outputs of a class.
pub async fn select_candidates(
    kernels: &mut Kernels,
    buffers: &SampleBuffers<'_>,
    draws: Draws,
) -> Result<Launch, Error> {
    let source = &sample::select_source(&kernels.templates, draws.class);
    let case = async |kernels: &mut Kernels| self_test::select_candidates(kernels, draws.class, source).await;
    kernels.prove(source, None, case).await?;
    sample::bind_select(kernels, buffers, draws, source).await
}

/// Draws a token from the candidates of each output of a class.
pub async fn sample_token(
    kernels: &mut Kernels,
    buffers: &SampleBuffers<'_>,
    draws: Draws,
) -> Result<Launch, Error> {
    let source = &sample::sample_source(&kernels.templates);
    kernels.prove(source, None, async |kernels| self_test::sample_token(kernels, source).await).await?;
    sample::bind_sample(kernels, buffers, draws, source).await
}

/// Log probabilities for all [`crate::StepReport`]s of a step, after its tokens are drawn.
pub async fn report_logprobs(
    kernels: &mut Kernels,
    buffers: &ReportBuffers<'_>,
    reports: Reports,
) -> Result<Launch, Error> {
    let source = &report::source(&kernels.templates);
    kernels.prove(source, None, async |kernels| self_test::report_logprobs(kernels, source).await).await?;
    report::bind(kernels, buffers, reports, source).await
}
