//! The activation between gate and up and down, where it could not be fused.

use bytemuck::NoUninit;
use minijinja::context;
use qwill_gpu::{Binding, Buffer, Grid, KernelSource};

use crate::{Cost, Error, Kernels, Launch, RowOrder, StepShape, Templates, align_row};

#[repr(C)]
#[derive(Clone, Copy, NoUninit)]
struct Params {
    n_outputs: u32,
    x_stride: u32,
    y_stride: u32,
}

pub(crate) fn source(templates: &Templates) -> KernelSource {
    KernelSource {
        name: "silu_mul".into(),
        wgsl: templates.render("gated/silu_mul.wgsl", context! { run => RowOrder::RUN }),
        bindings: vec![Binding::Params(size_of::<Params>()), Binding::Read, Binding::ReadWrite],
        constants: vec![],
    }
}

/// Refuses rows that do not hold the outputs of gate and up.
pub(crate) fn check(n_rows: usize, y_stride: usize) -> Result<(), Error> {
    let n_outputs = n_rows / 2;
    let unit = RowOrder::GateUp.unit();
    if !n_rows.is_multiple_of(unit) || y_stride < n_outputs {
        return Err(Error::Shape(format!(
            "{n_rows} gate and up rows do not go into rows of {y_stride} elements; their number must be a multiple of \
             {unit}, and the rows must hold half of them"
        )));
    }
    Ok(())
}

pub(crate) async fn bind(
    kernels: &mut Kernels,
    x: &Buffer,
    n_rows: usize,
    rows_per_token: usize,
    y: &Buffer,
    y_stride: usize,
    source: &KernelSource,
) -> Result<Launch, Error> {
    let n_outputs = n_rows / 2;
    let params =
        Params { n_outputs: n_outputs as u32, x_stride: align_row(n_rows) as u32, y_stride: y_stride as u32 };
    let columns = params.n_outputs.div_ceil(64);
    let grid = move |shape: &StepShape| Grid([columns, shape.n_tokens, rows_per_token as u32]);
    let launch = kernels.launch("silu_mul", source, Some(&params), &[x, y], grid).await?;
    let n_values = rows_per_token * n_outputs;
    let token = Cost::floats(3 * n_values, 5 * n_values);
    Ok(launch.costing(n_outputs.to_string(), move |step| token * step.n_tokens))
}
