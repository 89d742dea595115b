//! Embedding lookup.

use bytemuck::NoUninit;
use minijinja::context;
use qwill_gpu::{Binding, Buffer, Grid, KernelSource};
use qwill_weights::Layout;

use crate::{Cost, DeviceMatrix, Error, Kernels, Launch, Scaling, Templates};

#[repr(C)]
#[derive(Clone, Copy, NoUninit)]
struct Params {
    units: u32,
    y_stride: u32,
    first_row: u32,
    n_rows: u32,
}

/// Whether the rows are multiplied by factors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scaled {
    Yes,
    No,
}

pub(crate) fn source(templates: &Templates, layout: Layout, scaled: Scaled) -> KernelSource {
    let mut bindings =
        vec![Binding::Params(size_of::<Params>()), Binding::Read, Binding::Read, Binding::ReadWrite];
    bindings.extend((0..layout.n_streams()).map(|_| Binding::Read));
    let (scale, scale_binding) = (scaled == Scaled::Yes, bindings.len());
    bindings.extend(scale.then_some([Binding::Read; 2]).into_iter().flatten());
    KernelSource {
        name: format!("embed_rows {} scale={scale}", layout.name()),
        wgsl: templates.render(
            "embed/embed_rows.wgsl",
            context! { quant => layout.name(), span => 1, weights => 4, scale, scale_binding },
        ),
        bindings,
        constants: vec![],
    }
}

pub(crate) async fn bind(
    kernels: &mut Kernels,
    table: &DeviceMatrix,
    step: &Buffer,
    next: &Buffer,
    y: &Buffer,
    scaling: Option<&Scaling>,
    source: &KernelSource,
) -> Result<Vec<Launch>, Error> {
    let mut launches = Vec::new();
    for shard in &table.shards {
        let params = Params {
            units: table.units(),
            y_stride: table.units() * 2,
            first_row: shard.first_row as u32,
            n_rows: shard.n_rows as u32,
        };
        let mut buffers = vec![step, next, y];
        buffers.extend(&shard.streams);
        buffers.extend(scaling.into_iter().flat_map(|scaling| [&scaling.outputs, &scaling.rows]));
        let columns = table.units().div_ceil(64);
        let grid = move |shape: &crate::StepShape| Grid([columns, shape.n_tokens, 1]);
        let mut launch = kernels.launch("embed_rows", source, Some(&params), &buffers, grid).await?;
        launch.weight_bytes = if shard.first_row == 0 { table.row_bytes(1) } else { 0 };
        // which shards the tokens' rows lie in is known on the GPU only
        let token = match shard.first_row {
            0 => Cost { bytes: table.row_bytes(1), flops: 0 } + Cost::floats(table.k, 0),
            _ => Cost::default(),
        };
        let detail = format!("{} {}x{}", table.layout.name(), table.n_rows, table.k);
        launches.push(launch.costing(detail, move |step| token * step.n_tokens));
    }
    Ok(launches)
}
