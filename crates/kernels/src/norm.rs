//! Row-wise RMSNorm.

use bytemuck::NoUninit;
use minijinja::context;
use qwill_gpu::{Binding, Buffer, Caps, Grid, KernelSource};

use crate::shapes::{Reduction, RowShape};
use crate::{Cost, Error, FusedNorm, Kernels, Launch, StepShape, Templates, align_row};

/// Which rows are normalised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NormRows {
    /// Every token of the step.
    All,
    /// Only those whose logits are wanted.
    Outputs,
}

impl NormRows {
    /// How many those are.
    pub(crate) fn count(self, step: &StepShape) -> u32 {
        match self {
            Self::All => step.n_tokens,
            Self::Outputs => step.n_outputs,
        }
    }
}

#[repr(C)]
#[derive(Clone, Copy, NoUninit)]
struct Params {
    n_cols: u32,
    stride: u32,
    eps: f32,
    of_outputs: u32,
}

pub(crate) fn source(templates: &Templates, caps: &Caps, shape: RowShape) -> KernelSource {
    let RowShape { reduction, workgroup: wg } = shape;
    let subgroups = reduction == Reduction::Subgroup;
    KernelSource {
        name: format!("norm_rms wg{wg} subgroups={subgroups}"),
        wgsl: templates.render(
            "norm/norm_rms.wgsl",
            context! { wg, subgroups, enable_subgroups => subgroups && caps.is_web },
        ),
        bindings: vec![
            Binding::Params(size_of::<Params>()),
            Binding::Read,
            Binding::Read,
            Binding::Read,
            Binding::ReadWrite,
        ],
        constants: vec![],
    }
}

/// Binds a variant.
#[allow(clippy::too_many_arguments, reason = "those of the launcher, and what it chose")]
pub(crate) async fn bind(
    kernels: &mut Kernels,
    step: &Buffer,
    x: &Buffer,
    norm: &FusedNorm,
    n_cols: usize,
    rows: NormRows,
    y: &Buffer,
    source: &KernelSource,
) -> Result<Launch, Error> {
    let params = Params {
        n_cols: n_cols as u32,
        stride: (align_row(n_cols) / 4) as u32,
        eps: norm.eps,
        of_outputs: (rows == NormRows::Outputs).into(),
    };
    let grid = move |step: &StepShape| Grid([rows.count(step), 1, 1]);
    let buffers = [step, x, &norm.gain, y];
    let launch = kernels.launch("norm_rms", source, Some(&params), &buffers, grid).await?;
    let (gain, row) = (Cost::floats(n_cols, 0), Cost::floats(2 * n_cols, 4 * n_cols));
    Ok(launch.costing(n_cols.to_string(), move |step| gain + row * rows.count(step)))
}
