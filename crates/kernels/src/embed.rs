//! Embedding lookup.

use bytemuck::NoUninit;
use minijinja::context;
use qwill_gpu::{Binding, Grid, KernelSource, wgpu};
use qwill_weights::Layout;

use crate::matrix::{quant_name, quant_value};
use crate::{DeviceMatrix, Error, Kernels, Launch, Templates};

#[repr(C)]
#[derive(Clone, Copy, NoUninit)]
struct Params {
    units: u32,
    y_stride: u32,
    first_row: u32,
    n_rows: u32,
}

pub(crate) fn source(templates: &Templates, layout: Layout) -> KernelSource {
    let mut bindings = vec![Binding::Params, Binding::Read, Binding::ReadWrite];
    bindings.extend((0..layout.n_streams()).map(|_| Binding::Read));
    KernelSource {
        name: format!("embed_rows {}", quant_name(layout)),
        wgsl: templates
            .render("embed/embed_rows.wgsl", context! { quant => quant_value(layout), weights => 3 }),
        bindings,
        constants: vec![],
    }
}

/// `y[t] = table[tokens[t]]`, one launch for each shard of the table. `y` is `[n_tokens, align_row(k)]`.
pub async fn embed_rows(
    kernels: &mut Kernels,
    table: &DeviceMatrix,
    tokens: &wgpu::Buffer,
    y: &wgpu::Buffer,
) -> Result<Vec<Launch>, Error> {
    let source = source(&kernels.templates, table.layout);
    let mut launches = Vec::new();
    for shard in &table.shards {
        let params = Params {
            units: table.units(),
            y_stride: table.units() * 2,
            first_row: shard.first_row as u32,
            n_rows: shard.n_rows as u32,
        };
        let mut buffers = vec![tokens, y];
        buffers.extend(&shard.streams);
        let columns = table.units().div_ceil(64);
        let grid = move |shape: &crate::StepShape| Grid([columns, shape.n_tokens, 1]);
        let mut launch = kernels.launch("embed_rows", &source, Some(&params), &buffers, grid).await?;
        launch.weight_bytes = if shard.first_row == 0 { table.row_bytes(1) } else { 0 };
        launches.push(launch);
    }
    Ok(launches)
}
