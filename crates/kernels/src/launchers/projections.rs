//! Projections, of all and of chosen experts.

use qwill_gpu::Buffer;

use crate::experts::check_indices;
use crate::gemm::{self};
use crate::gemv::{self, Experts};
use crate::shapes::GemmShape;
use crate::{
    Choice, Error, ExpertProject, ExpertRows, FusedNorm, Groups, Kernels, Launch, NormRows, Project,
    align_row, experts, self_test,
};

/// Projects row 0 of `x` into row 0 of `y`, with the norm of the input fused in where given; one launch a shard.
pub async fn gemv(
    kernels: &mut Kernels,
    project: &Project,
    norm: Option<&FusedNorm>,
) -> Result<Vec<Launch>, Error> {
    project.check()?;
    let matrix = &project.matrix;
    let variant = &gemv::Variant {
        layout: matrix.layout,
        shape: kernels.tuning.gemv(matrix.layout, matrix.k),
        epilogue: project.epilogue.kind(),
        norm: norm.is_some(),
        bias: project.epilogue.has_bias(),
        experts: Experts::None,
    };
    let source = &gemv::source(&kernels.templates, kernels.gpu.caps(), variant);
    let choice = kernels.tuning.gemv_choice(matrix.k);
    kernels
        .prove(source, Some(choice), async |kernels| self_test::gemv(kernels, variant, source).await)
        .await?;
    gemv::bind(kernels, project, norm, variant, source).await
}

/// Projects all rows that `rows` names, at most `max_rows`; one launch a shard. The buffers hold whole tiles of
/// [`crate::GEMM_MAX_TILE_M`] rows.
pub async fn gemm(
    kernels: &mut Kernels,
    project: &Project,
    rows: NormRows,
    max_rows: usize,
) -> Result<Vec<Launch>, Error> {
    project.check()?;
    let shape = kernels.tuning.gemm(max_rows);
    let variant = &gemm::Variant {
        layout: project.matrix.layout,
        epilogue: project.epilogue.kind(),
        bias: project.epilogue.has_bias(),
        shape,
        experts: false,
    };
    let source = &gemm::source(&kernels.templates, variant);
    let choice = Choice::Gemm(shape);
    kernels
        .prove(source, Some(choice), async |kernels| self_test::gemm(kernels, variant, source).await)
        .await?;
    gemm::bind(kernels, project, rows, variant, source).await
}

/// Projects token 0 through the experts in its `routes`; one launch a shard, which reads the rows of chosen experts only.
///
/// - [`ExpertRows::Spread`]: `y[slot]` from row 0 of `x`, with its norm fused in where given;
/// - [`ExpertRows::Slots`]: `y[slot]` from `x[slot]`;
/// - [`ExpertRows::Gather`]: `y[0] += sum_slot weight[slot] * W x[slot]`, slots in order.
///
/// `routes` is what [`route_experts`](crate::route_experts) writes. The slot of a shared expert is not looked at.
pub async fn gemv_experts(
    kernels: &mut Kernels,
    project: &ExpertProject,
    norm: Option<&FusedNorm>,
    routes: &Buffer,
) -> Result<Vec<Launch>, Error> {
    project.check()?;
    let matrix = &project.matrix;
    if norm.is_some() && project.rows != ExpertRows::Spread {
        return Err(Error::Shape("a norm goes with the rows of tokens, not with those of slots".into()));
    }
    let variant = &gemv::Variant {
        layout: matrix.layout,
        shape: kernels.tuning.gemv(matrix.layout, matrix.k),
        epilogue: project.epilogue.kind(),
        norm: norm.is_some(),
        bias: false,
        experts: match project.rows {
            ExpertRows::Spread | ExpertRows::Slots => Experts::Spread,
            ExpertRows::Gather => Experts::Gather,
        },
    };
    let source = &gemv::source(&kernels.templates, kernels.gpu.caps(), variant);
    let choice = kernels.tuning.gemv_choice(matrix.k);
    let case = async |kernels: &mut Kernels| self_test::gemv_experts(kernels, variant, source).await;
    kernels.prove(source, Some(choice), case).await?;
    experts::bind_gemv(kernels, project, norm, routes, variant, source).await
}

/// Projects all tokens of a step through their experts; one launch a shard.
///
/// - [`ExpertRows::Spread`]: `y[token * top_k + slot]` from `x[token]`;
/// - [`ExpertRows::Slots`]: `y[token * top_k + slot]` from `x[token * top_k + slot]`.
///
/// `groups` is what [`group_tokens`](crate::group_tokens) made of the step's routes.
pub async fn gemm_experts(
    kernels: &mut Kernels,
    project: &ExpertProject,
    groups: &Groups,
) -> Result<Vec<Launch>, Error> {
    project.check()?;
    let grouping = groups.grouping;
    grouping.check()?;
    if project.routing != grouping.routing {
        return Err(Error::Shape(format!(
            "tokens grouped for {:?} cannot be projected for {:?}",
            grouping.routing, project.routing
        )));
    }
    let n_slots = grouping.max_tokens * project.routing.top_k;
    check_indices(n_slots, project.y_stride.max(align_row(project.matrix.k)))?;
    if project.rows == ExpertRows::Gather {
        return Err(Error::Shape(
            "steps of many tokens keep the rows of slots; combine_experts gathers them".into(),
        ));
    }
    let shape = kernels.tuning.gemm_experts(grouping.tile_m);
    let epilogue = project.epilogue.kind();
    let variant =
        &gemm::Variant { layout: project.matrix.layout, epilogue, bias: false, shape, experts: true };
    let source = &gemm::source(&kernels.templates, variant);
    let choice = match shape {
        GemmShape::Tiled { tile_m } => Choice::ExpertsTile(tile_m),
        GemmShape::Serial { .. } => Choice::Gemm(shape),
    };
    let case = async |kernels: &mut Kernels| {
        self_test::gemm_experts(kernels, variant, grouping.tile_m, source).await
    };
    kernels.prove(source, Some(choice), case).await?;
    experts::bind_gemm(kernels, project, groups, variant, source).await
}
