//! Projections of one row: decode.

use bytemuck::NoUninit;
use minijinja::context;
use qwill_gpu::{Binding, Caps, Grid, KernelSource};
use qwill_weights::Layout;

use crate::matrix::{quant_name, quant_value};
use crate::tuning::{GemvShape, Reduction, gemv_shape};
use crate::{Epilogue, Error, FusedNorm, Kernels, Launch, Project, Templates};

#[repr(C)]
#[derive(Clone, Copy, NoUninit)]
struct Params {
    units: u32,
    n_cols: u32,
    n_outputs: u32,
    first_output: u32,
    eps: f32,
    slot: u32,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Variant {
    pub(crate) layout: Layout,
    pub(crate) shape: GemvShape,
    pub(crate) epilogue: Epilogue,
    pub(crate) norm: bool,
    pub(crate) bias: bool,
}

impl Variant {
    /// Outputs of one workgroup.
    fn outputs(&self) -> u32 {
        match self.shape.reduction {
            Reduction::Serial => {
                self.shape.workgroup * self.epilogue.outputs(self.shape.rows as usize) as u32
            }
            _ => self.epilogue.outputs(self.shape.rows as usize) as u32,
        }
    }
}

pub(crate) fn source(templates: &Templates, caps: &Caps, variant: &Variant) -> KernelSource {
    let Variant { layout, shape, epilogue, norm, bias } = *variant;
    let weights = 3;
    let norm_binding = weights + layout.n_streams();
    let bias_binding = norm_binding + usize::from(norm);
    let mut bindings = vec![Binding::Params, Binding::Read, Binding::ReadWrite];
    let routes_binding = bias_binding + usize::from(bias);
    bindings.resize(routes_binding + usize::from(epilogue == Epilogue::AddScaled), Binding::Read);
    let subgroups = shape.reduction == Reduction::Subgroup;
    KernelSource {
        name: format!(
            "gemv {} {} {} wg{} rows{} norm={norm} bias={bias}",
            quant_name(layout),
            shape.reduction.name(),
            epilogue.name(),
            shape.workgroup,
            shape.rows
        ),
        wgsl: templates.render(
            "gemv/gemv.wgsl",
            context! {
                quant => quant_value(layout),
                weights,
                norm,
                norm_binding,
                bias,
                bias_binding,
                routes_binding,
                epilogue => epilogue.name(),
                reduction => shape.reduction.name(),
                subgroups,
                enable_subgroups => subgroups && caps.is_web,
                wg => shape.workgroup,
                rows => shape.rows,
            },
        ),
        bindings,
        constants: vec![],
    }
}

/// Projects row 0 of `x` into row 0 of `y`, with the norm of the input fused in where given; one launch a shard.
pub async fn gemv(
    kernels: &mut Kernels,
    project: &Project,
    norm: Option<&FusedNorm>,
) -> Result<Vec<Launch>, Error> {
    project.check()?;
    let matrix = &project.matrix;
    let variant = Variant {
        layout: matrix.layout,
        shape: gemv_shape(kernels.gpu.caps(), matrix.k),
        epilogue: project.epilogue,
        norm: norm.is_some(),
        bias: project.bias.is_some(),
    };
    let source = source(&kernels.templates, kernels.gpu.caps(), &variant);
    let mut launches = Vec::new();
    for shard in &matrix.shards {
        let n_outputs = project.epilogue.outputs(shard.n_rows);
        let params = Params {
            units: matrix.units(),
            n_cols: matrix.k as u32,
            n_outputs: n_outputs as u32,
            first_output: (project.first_output + project.epilogue.outputs(shard.first_row)) as u32,
            eps: norm.map_or(0.0, |n| n.eps),
            slot: project.slot_weight.as_ref().map_or(0, |weight| weight.slot as u32),
        };
        let mut buffers = vec![&project.x, &project.y];
        buffers.extend(&shard.streams);
        buffers.extend(norm.map(|n| &n.gain));
        buffers.extend(&project.bias);
        buffers.extend(project.slot_weight.as_ref().map(|weight| &weight.routes));
        let grid = Grid::folded((n_outputs as u32).div_ceil(variant.outputs()));
        let mut launch = kernels.launch("gemv", &source, Some(&params), &buffers, move |_| grid).await?;
        launch.weight_bytes = matrix.row_bytes(shard.n_rows);
        launches.push(launch);
    }
    Ok(launches)
}
