//! Which experts tokens go to, and what comes back from them.

use qwill_gpu::Buffer;

use crate::experts::check_indices;
use crate::{
    Choice, Error, Grouping, Groups, Kernels, Launch, Routing, align_row, experts, grouping, routing,
    self_test,
};

/// Writes the routes `[n_tokens, n_slots]` of (expert, bits of its f32 weight), largest weight first, the lower index
/// among equals, from the router's logits `[n_tokens, align_row(n_logits)]` f32.
///
/// The softmax is over all experts, in f32. A routing with more than 512 experts or 16 slots is an error.
pub async fn route_experts(
    kernels: &mut Kernels,
    routing: &Routing,
    logits: &Buffer,
    routes: &Buffer,
) -> Result<Launch, Error> {
    routing.check()?;
    let shape = kernels.tuning.rows.best();
    let source = &routing::source(&kernels.templates, kernels.gpu.caps(), shape, routing.weights);
    let case = async |kernels: &mut Kernels| self_test::route_experts(kernels, routing.weights, source).await;
    kernels.prove(source, Some(Choice::Rows(shape)), case).await?;
    routing::bind(kernels, routing, logits, routes, source).await
}

/// Writes `groups` from the `routes` of the step's tokens, see [`route_experts`](crate::route_experts). `step` says how
/// many tokens there are, at most `max_tokens`; the slot of a shared expert is not looked at.
///
/// The order of an expert's assignments may differ from run to run; what [`gemm_experts`](crate::gemm_experts) makes of
/// them does not.
pub async fn group_tokens(
    kernels: &mut Kernels,
    step: &Buffer,
    routes: &Buffer,
    groups: &Groups,
) -> Result<Launch, Error> {
    groups.grouping.check()?;
    let source = &grouping::source(&kernels.templates, kernels.tuning.group_workgroup.best());
    kernels.prove(source, None, async |kernels| self_test::group_tokens(kernels, source).await).await?;
    grouping::bind(kernels, step, routes, groups, source).await
}

/// `y[m] += sum_slot weight[m, slot] * x[m * top_k + slot]` with the weights in `routes`, slots in order, for rows of
/// `align_row(n_cols)` f32 and steps of at most `max_tokens`. The slot of a shared expert is not looked at.
pub async fn combine_experts(
    kernels: &mut Kernels,
    grouping: &Grouping,
    routes: &Buffer,
    x: &Buffer,
    n_cols: usize,
    y: &Buffer,
) -> Result<Launch, Error> {
    let routing = grouping.routing;
    routing.check()?;
    check_indices(grouping.max_tokens * routing.top_k, align_row(n_cols))?;
    let source = &experts::combine_source(&kernels.templates);
    kernels.prove(source, None, async |kernels| self_test::combine_experts(kernels, source).await).await?;
    experts::bind_combine(kernels, grouping, routes, x, n_cols, y, source).await
}
