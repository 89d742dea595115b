//! Row-wise RMSNorm.

use bytemuck::NoUninit;
use minijinja::context;
use qwill_gpu::{Binding, Buffer, Caps, Grid, KernelSource};

use crate::{Error, FusedNorm, Kernels, Launch, Templates, align_row, tuning};

/// Which rows are normalised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NormRows {
    /// Every token of the step.
    All,
    /// Only those whose logits are wanted.
    Outputs,
}

#[repr(C)]
#[derive(Clone, Copy, NoUninit)]
struct Params {
    n_cols: u32,
    stride: u32,
    eps: f32,
    from_output_row: u32,
}

pub(crate) fn source(templates: &Templates, caps: &Caps) -> KernelSource {
    let subgroups = tuning::row_subgroups(caps);
    let wg = tuning::row_workgroup(caps);
    KernelSource {
        name: format!("norm_rms wg{wg} subgroups={subgroups}"),
        wgsl: templates.render(
            "norm/norm_rms.wgsl",
            context! { wg, subgroups, enable_subgroups => subgroups && caps.is_web },
        ),
        bindings: vec![Binding::Params, Binding::Read, Binding::Read, Binding::Read, Binding::ReadWrite],
        constants: vec![],
    }
}

/// `y[r] = norm(x[r])` for rows of `n_cols` elements, strides `align_row(n_cols)`.
pub async fn norm_rms(
    kernels: &mut Kernels,
    state: &Buffer,
    x: &Buffer,
    norm: &FusedNorm,
    n_cols: usize,
    rows: NormRows,
    y: &Buffer,
) -> Result<Launch, Error> {
    let source = source(&kernels.templates, kernels.gpu.caps());
    let params = Params {
        n_cols: n_cols as u32,
        stride: (align_row(n_cols) / 4) as u32,
        eps: norm.eps,
        from_output_row: (rows == NormRows::Outputs).into(),
    };
    kernels
        .launch("norm_rms", &source, Some(&params), &[state, x, &norm.gain, y], move |shape| match rows {
            NormRows::All => Grid([shape.n_tokens, 1, 1]),
            NormRows::Outputs => Grid([shape.n_outputs, 1, 1]),
        })
        .await
}
