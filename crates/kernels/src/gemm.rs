//! Projections of many rows: prefill.

use bytemuck::NoUninit;
use minijinja::context;
use qwill_gpu::{Binding, KernelSource};
use qwill_weights::Layout;

use crate::cost::ProductCost;
use crate::shapes::GemmShape;
use crate::{EpilogueKind, Error, Kernels, Launch, NormRows, Project, RowOrder, StepShape, Templates};

#[repr(C)]
#[derive(Clone, Copy, Default, NoUninit)]
pub(crate) struct Params {
    pub(crate) units: u32,
    pub(crate) x_stride: u32,
    pub(crate) y_stride: u32,
    pub(crate) n_rows: u32,
    pub(crate) first_output: u32,
    pub(crate) n_outputs: u32,
    pub(crate) slot: u32,
    pub(crate) n_slots: u32,
    pub(crate) first_expert: u32,
    pub(crate) n_experts: u32,
    pub(crate) sharing: u32,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Variant {
    pub(crate) layout: Layout,
    pub(crate) epilogue: EpilogueKind,
    pub(crate) bias: bool,
    pub(crate) shape: GemmShape,
    /// Tiles have an expert each.
    pub(crate) experts: bool,
}

pub(crate) fn source(templates: &Templates, variant: &Variant) -> KernelSource {
    let Variant { layout, epilogue, bias, shape, experts } = *variant;
    let weights = 3;
    let bias_binding = weights + layout.n_streams();
    let mut bindings = vec![Binding::Params(size_of::<Params>()), Binding::Read, Binding::ReadWrite];
    let routes_binding = bias_binding + usize::from(bias);
    let scale_binding = routes_binding + usize::from(epilogue == EpilogueKind::AddScaled);
    let tiles_binding = scale_binding + epilogue.n_scales();
    bindings.resize(tiles_binding + if experts { 2 } else { 0 }, Binding::Read);
    KernelSource {
        name: format!("gemm {} {} {shape:?} bias={bias} experts={experts}", layout.name(), epilogue.name()),
        wgsl: templates.render(
            "gemm/gemm.wgsl",
            context! {
                quant => layout.name(),
                span => 1,
                weights,
                bias,
                bias_binding,
                routes_binding,
                scale_binding,
                experts,
                tiles_binding,
                epilogue => epilogue.name(),
                run => RowOrder::RUN,
                shape => shape.name(),
                tile_m => match shape {
                    GemmShape::Tiled { tile_m } => Some(tile_m),
                    GemmShape::Serial { .. } => None,
                },
                wg => match shape {
                    GemmShape::Tiled { .. } => None,
                    GemmShape::Serial { workgroup } => Some(workgroup),
                },
            },
        ),
        bindings,
        constants: vec![],
    }
}

/// Binds a variant.
pub(crate) async fn bind(
    kernels: &mut Kernels,
    project: &Project,
    rows: NormRows,
    variant: &Variant,
    source: &KernelSource,
) -> Result<Vec<Launch>, Error> {
    let Variant { epilogue, shape: tile, .. } = *variant;
    let (matrix, slot_weight) = (&project.matrix, project.epilogue.slot_weight());
    let mut launches = Vec::new();
    for shard in &matrix.shards {
        let params = Params {
            units: matrix.units(),
            x_stride: matrix.units() * 2,
            y_stride: project.y_stride as u32,
            n_rows: shard.n_rows as u32,
            first_output: (project.first_output + epilogue.outputs(shard.first_row)) as u32,
            n_outputs: epilogue.outputs(shard.n_rows) as u32,
            slot: slot_weight.map_or(0, |weight| weight.slot as u32),
            n_slots: slot_weight.map_or(0, |weight| weight.n_slots as u32),
            ..Default::default()
        };
        let mut buffers = vec![&project.x, &project.y];
        buffers.extend(&shard.streams);
        buffers.extend(project.epilogue.buffers());
        let n_rows = shard.n_rows as u32;
        let grid = move |shape: &StepShape| tile.grid(n_rows, rows.count(shape).div_ceil(tile.tile_m()));
        let mut launch = kernels.launch("gemm", source, Some(&params), &buffers, grid).await?;
        launch.weight_bytes = matrix.row_bytes(shard.n_rows);
        let cost = ProductCost::new(matrix, shard.n_rows, epilogue);
        let detail = matrix.detail(matrix.n_rows, epilogue);
        launches.push(launch.costing(detail, move |step| cost.of(rows.count(step))));
    }
    Ok(launches)
}
