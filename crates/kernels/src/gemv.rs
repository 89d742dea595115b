//! Projections of one row: decode.

use bytemuck::NoUninit;
use minijinja::context;
use qwill_gpu::{Binding, Caps, Grid, KernelSource};
use qwill_weights::Layout;

use crate::cost::ProductCost;
use crate::shapes::{GemvShape, Reduction};
use crate::{EpilogueKind, Error, FusedNorm, Kernels, Launch, Project, RowOrder, Templates};

#[repr(C)]
#[derive(Clone, Copy, Default, NoUninit)]
pub(crate) struct Params {
    pub(crate) units: u32,
    pub(crate) n_cols: u32,
    pub(crate) n_outputs: u32,
    pub(crate) first_output: u32,
    pub(crate) eps: f32,
    pub(crate) slot: u32,
    pub(crate) n_slots: u32,
    pub(crate) y_stride: u32,
    pub(crate) first_expert: u32,
    pub(crate) n_experts: u32,
    pub(crate) rows_per_expert: u32,
    pub(crate) x_stride: u32,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Variant {
    pub(crate) layout: Layout,
    pub(crate) shape: GemvShape,
    pub(crate) epilogue: EpilogueKind,
    pub(crate) norm: bool,
    pub(crate) bias: bool,
    /// Whose rows the matrix has.
    pub(crate) experts: Experts,
}

/// Whose rows a matrix has, and what becomes of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Experts {
    /// Nobody's: it has no experts.
    None,
    /// Those of the experts in a token's routes, with a row of outputs for each slot.
    Spread,
    /// The same, with the weighted sum of all slots as output.
    Gather,
}

impl Experts {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Spread => "spread",
            Self::Gather => "gather",
        }
    }
}

impl Variant {
    /// Outputs of one workgroup.
    pub(crate) fn outputs(&self) -> u32 {
        match self.shape.reduction {
            Reduction::Serial => {
                self.shape.workgroup * self.epilogue.outputs(self.shape.rows as usize) as u32
            }
            _ => self.epilogue.outputs(self.shape.rows as usize) as u32,
        }
    }
}

pub(crate) fn source(templates: &Templates, caps: &Caps, variant: &Variant) -> KernelSource {
    let Variant { layout, shape, epilogue, norm, bias, experts } = *variant;
    let weights = 3;
    let norm_binding = weights + layout.n_streams();
    let bias_binding = norm_binding + usize::from(norm);
    let mut bindings = vec![Binding::Params(size_of::<Params>()), Binding::Read, Binding::ReadWrite];
    let routes_binding = bias_binding + usize::from(bias);
    let routed = experts != Experts::None || epilogue == EpilogueKind::AddScaled;
    let scale_binding = routes_binding + usize::from(routed);
    bindings.resize(scale_binding + epilogue.n_scales(), Binding::Read);
    let subgroups = shape.reduction == Reduction::Subgroup;
    KernelSource {
        name: format!(
            "gemv {} {} {} wg{} rows{} span{} norm={norm} bias={bias} experts={}",
            layout.name(),
            shape.reduction.name(),
            epilogue.name(),
            shape.workgroup,
            shape.rows,
            shape.span,
            experts.name()
        ),
        wgsl: templates.render(
            "gemv/gemv.wgsl",
            context! {
                quant => layout.name(),
                weights,
                norm,
                norm_binding,
                bias,
                bias_binding,
                routes_binding,
                scale_binding,
                experts => experts != Experts::None,
                gather => experts == Experts::Gather,
                epilogue => epilogue.name(),
                reduction => shape.reduction.name(),
                subgroups,
                enable_subgroups => subgroups && caps.is_web,
                wg => shape.workgroup,
                rows => shape.rows,
                span => shape.span,
                run => RowOrder::RUN,
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
    norm: Option<&FusedNorm>,
    variant: &Variant,
    source: &KernelSource,
) -> Result<Vec<Launch>, Error> {
    let (matrix, epilogue) = (&project.matrix, variant.epilogue);
    let mut launches = Vec::new();
    for shard in &matrix.shards {
        let n_outputs = epilogue.outputs(shard.n_rows);
        let params = Params {
            units: matrix.units(),
            n_cols: matrix.k as u32,
            n_outputs: n_outputs as u32,
            first_output: (project.first_output + epilogue.outputs(shard.first_row)) as u32,
            eps: norm.map_or(0.0, |n| n.eps),
            slot: project.epilogue.slot_weight().map_or(0, |weight| weight.slot as u32),
            ..Default::default()
        };
        let mut buffers = vec![&project.x, &project.y];
        buffers.extend(&shard.streams);
        buffers.extend(norm.map(|n| &n.gain));
        buffers.extend(project.epilogue.buffers());
        let grid = Grid::folded((n_outputs as u32).div_ceil(variant.outputs()));
        let mut launch = kernels.launch("gemv", source, Some(&params), &buffers, move |_| grid).await?;
        launch.weight_bytes = matrix.row_bytes(shard.n_rows);
        let cost = ProductCost::new(matrix, shard.n_rows, epilogue);
        let detail = matrix.detail(matrix.n_rows, epilogue);
        launches.push(launch.costing(detail, move |_| cost.of(1)));
    }
    Ok(launches)
}
