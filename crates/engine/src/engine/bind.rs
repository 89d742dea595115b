//! Projections bound for steps of every size.

use qwill_gpu::Buffer;
use qwill_kernels::{Groups, Kernels, Launch, NormRows, Project, gemm, gemm_experts, gemv, gemv_experts};

use super::buffers::Routes;
use super::stage::{BySize, ExpertWork, Normed};
use super::{FEW, MAX_OUTPUTS};
use crate::Error;

/// Binds a projection for steps of at most `chunk` tokens.
pub(super) async fn bind_project(
    kernels: &mut Kernels,
    chunk: usize,
    project: &Project,
    norm: Option<&Normed>,
    rows: NormRows,
) -> Result<BySize<Vec<Launch>>, Error> {
    let one = gemv(kernels, project, norm.map(|norm| &norm.fused)).await?;
    let x = norm.map_or(&project.x, |norm| &norm.rows).clone();
    let project = Project { x, ..project.clone() };
    let most = match rows {
        NormRows::All => chunk,
        NormRows::Outputs => MAX_OUTPUTS,
    };
    let few = gemm(kernels, &project, rows, FEW).await?;
    let many = gemm(kernels, &project, rows, most).await?;
    Ok(BySize { one, few, many })
}

/// Binds a projection by experts.
pub(super) async fn bind_experts(
    kernels: &mut Kernels,
    work: &ExpertWork,
    routes: &Routes<Buffer, Groups>,
) -> Result<BySize<Vec<Launch>>, Error> {
    Ok(BySize {
        one: gemv_experts(kernels, &work.one, work.norm.as_ref(), &routes.of_tokens).await?,
        few: gemm_experts(kernels, &work.many, &routes.few).await?,
        many: gemm_experts(kernels, &work.many, &routes.many).await?,
    })
}
