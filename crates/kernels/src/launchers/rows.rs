//! Kernels that take rows one by one.

use qwill_gpu::Buffer;

use crate::embed::Scaled;
use crate::{
    Choice, DeviceMatrix, Error, FusedNorm, Kernels, Launch, NormRows, Scaling, embed, norm, self_test,
    silu_mul as gated,
};

/// `y[t] = table[id of t]`, times the factors of the columns, `[align_row(k)]` f32, and of the token where given; one launch
/// for each shard of the table. `next` has for each slot the token that was sampled last for it, `[n_slots]` u32; `y` is `[n_tokens,
/// align_row(k)]`.
pub async fn embed_rows(
    kernels: &mut Kernels,
    table: &DeviceMatrix,
    step: &Buffer,
    next: &Buffer,
    y: &Buffer,
    scaling: Option<&Scaling>,
) -> Result<Vec<Launch>, Error> {
    let scaled = if scaling.is_some() { Scaled::Yes } else { Scaled::No };
    let source = &embed::source(&kernels.templates, table.layout, scaled);
    let case =
        async |kernels: &mut Kernels| self_test::embed_rows(kernels, table.layout, scaled, source).await;
    kernels.prove(source, None, case).await?;
    embed::bind(kernels, table, step, next, y, scaling, source).await
}

/// `y[r] = norm(x[r])` for rows of `n_cols` elements, strides `align_row(n_cols)`.
pub async fn norm_rms(
    kernels: &mut Kernels,
    step: &Buffer,
    x: &Buffer,
    norm: &FusedNorm,
    n_cols: usize,
    rows: NormRows,
    y: &Buffer,
) -> Result<Launch, Error> {
    let shape = kernels.tuning.rows.best();
    let source = &norm::source(&kernels.templates, kernels.gpu.caps(), shape);
    let case = async |kernels: &mut Kernels| self_test::norm_rms(kernels, source).await;
    kernels.prove(source, Some(Choice::Rows(shape)), case).await?;
    norm::bind(kernels, step, x, norm, n_cols, rows, y, source).await
}

/// `y[r, i] = silu(gate of i) * (up of i)` for the outputs of a matrix of `n_rows` rows in
/// [`RowOrder::GateUp`], stored as they are: `x` is `[rows, align_row(n_rows)]` f32, `y` is
/// `[rows, y_stride]` f32, and every token of a step has `rows_per_token` rows.
pub async fn silu_mul(
    kernels: &mut Kernels,
    x: &Buffer,
    n_rows: usize,
    rows_per_token: usize,
    y: &Buffer,
    y_stride: usize,
) -> Result<Launch, Error> {
    gated::check(n_rows, y_stride)?;
    let source = &gated::source(&kernels.templates);
    kernels.prove(source, None, async |kernels| self_test::silu_mul(kernels, source).await).await?;
    gated::bind(kernels, x, n_rows, rows_per_token, y, y_stride, source).await
}
