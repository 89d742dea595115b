//! Projections by the experts that tokens were routed to.

use std::rc::Rc;

use bytemuck::NoUninit;
use minijinja::context;
use qwill_gpu::{Binding, Buffer, Grid, KernelSource};

use crate::cost::ProductCost;
use crate::gemv::Experts;
use crate::{
    Cost, DeviceMatrix, Epilogue, Error, FusedNorm, Grouping, Groups, Kernels, Launch, Routing, StepShape,
    Templates, align_row, gemm, gemv,
};

/// Which rows a projection by experts reads and writes. A token has a slot for each of its experts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExpertRows {
    /// From the rows of tokens to those of their slots: gate and up.
    Spread,
    /// From the rows of slots to the rows of slots.
    Slots,
    /// From the rows of slots to those of tokens, as the sum over slots times their weights: down, for a single token.
    /// [`combine_experts`] does the same to what [`ExpertRows::Slots`] gives.
    Gather,
}

/// A projection by the experts of a layer, each with rows of its own.
#[derive(Debug, Clone)]
pub struct ExpertProject {
    /// The rows of all experts, expert after expert; each shard holds whole experts.
    pub matrix: Rc<DeviceMatrix>,
    /// How tokens choose experts.
    pub routing: Routing,
    /// Which rows are read and written.
    pub rows: ExpertRows,
    /// What happens to the product, in the rows of slots; [`ExpertRows::Gather`] adds.
    pub epilogue: Epilogue,
    /// Input, rows of `align_row(k)` f32, one a token or one a slot.
    pub x: Buffer,
    /// Output, rows of `y_stride` f32, one a token or one a slot.
    pub y: Buffer,
    /// Elements in a row of the output. Columns past the outputs are left alone: they must be zero where the next
    /// projection reads them.
    pub y_stride: usize,
}

impl ExpertProject {
    fn rows_per_expert(&self) -> usize {
        self.matrix.n_rows / self.routing.n_experts
    }

    /// Experts in a shard that starts at `first_row` and has `n_rows`: the first, and how many.
    fn experts(&self, first_row: usize, n_rows: usize) -> (u32, u32) {
        ((first_row / self.rows_per_expert()) as u32, (n_rows / self.rows_per_expert()) as u32)
    }

    /// What the products of one expert's rows cost.
    fn cost(&self) -> ProductCost {
        ProductCost::new(&self.matrix, self.rows_per_expert(), self.epilogue.kind())
    }

    /// Words for it.
    fn detail(&self) -> String {
        let matrix = self.matrix.detail(self.rows_per_expert(), self.epilogue.kind());
        format!("{matrix} {}", self.routing.detail())
    }

    /// Refuses what no kernel does.
    pub(crate) fn check(&self) -> Result<(), Error> {
        self.routing.check()?;
        let (n_rows, n_experts) = (self.matrix.n_rows, self.routing.n_experts);
        let granule = self.matrix.order.unit();
        if n_rows == 0 || !n_rows.is_multiple_of(n_experts * granule) {
            return Err(Error::Shape(format!(
                "{n_rows} rows in {:?} order are not those of {n_experts} experts; each must have the same number, \
                 a multiple of {granule}",
                self.matrix.order
            )));
        }
        let kind = self.epilogue.kind();
        kind.check_order(self.matrix.order)?;
        let is_known = match (&self.epilogue, self.rows) {
            (Epilogue::Add, _) => true,
            (Epilogue::Store(None) | Epilogue::StoreScaled(_) | Epilogue::SiluMul, rows) => {
                rows != ExpertRows::Gather
            }
            (Epilogue::Store(Some(_)) | Epilogue::Relu(_) | Epilogue::AddScaled(_), _) => false,
        };
        if !is_known {
            let bias = if self.epilogue.has_bias() { " and a bias" } else { "" };
            return Err(Error::Shape(format!(
                "projections by experts do not go with {}{bias} in {:?} rows",
                kind.name(),
                self.rows
            )));
        }
        let rows = self.rows_per_expert();
        let outputs = kind.outputs(rows);
        if self.y_stride < outputs {
            return Err(Error::Shape(format!(
                "{outputs} outputs of an expert do not fit rows of {} elements",
                self.y_stride
            )));
        }
        for shard in &self.matrix.shards {
            if !shard.first_row.is_multiple_of(rows) || !shard.n_rows.is_multiple_of(rows) {
                return Err(Error::Shape(format!(
                    "a shard has rows {} to {} where each expert has {rows}; shards must hold whole experts",
                    shard.first_row,
                    shard.first_row + shard.n_rows
                )));
            }
        }
        Ok(())
    }
}

/// Binds a variant of [`gemv_experts`](crate::gemv_experts).
pub(crate) async fn bind_gemv(
    kernels: &mut Kernels,
    project: &ExpertProject,
    norm: Option<&FusedNorm>,
    routes: &Buffer,
    variant: &gemv::Variant,
    source: &KernelSource,
) -> Result<Vec<Launch>, Error> {
    let (matrix, epilogue) = (&project.matrix, variant.epilogue);
    let x_stride = match project.rows {
        ExpertRows::Spread => 0,
        ExpertRows::Slots | ExpertRows::Gather => matrix.units() * 2,
    };
    let rows_per_expert = project.rows_per_expert();
    let n_outputs = epilogue.outputs(rows_per_expert) as u32;
    let top_k = project.routing.top_k;
    let mut launches = Vec::new();
    for shard in &matrix.shards {
        let (first_expert, n_experts) = project.experts(shard.first_row, shard.n_rows);
        let params = gemv::Params {
            units: matrix.units(),
            n_cols: matrix.k as u32,
            n_outputs,
            eps: norm.map_or(0.0, |n| n.eps),
            n_slots: top_k as u32,
            y_stride: project.y_stride as u32,
            first_expert,
            n_experts,
            rows_per_expert: rows_per_expert as u32,
            x_stride,
            ..Default::default()
        };
        let mut buffers = vec![&project.x, &project.y];
        buffers.extend(&shard.streams);
        buffers.extend(norm.map(|n| &n.gain));
        buffers.push(routes);
        buffers.extend(project.epilogue.buffers());
        let mut grid = Grid::folded(n_outputs.div_ceil(variant.outputs()));
        if variant.experts == Experts::Spread {
            grid.0[2] = top_k as u32;
        }
        let mut launch =
            kernels.launch("gemv_experts", source, Some(&params), &buffers, move |_| grid).await?;
        // which shards the chosen experts lie in is known on the GPU only
        let n_chosen = if shard.first_row == 0 { top_k } else { 0 };
        launch.weight_bytes = matrix.row_bytes(n_chosen * rows_per_expert);
        let cost = project.cost().of(1) * n_chosen as u32;
        launches.push(launch.costing(project.detail(), move |_| cost));
    }
    Ok(launches)
}

/// Refuses `rows` of `stride` elements whose indices kernels could not count.
pub(crate) fn check_indices(rows: usize, stride: usize) -> Result<(), Error> {
    if u32::try_from(rows as u64 * stride as u64).is_err() {
        return Err(Error::Shape(format!(
            "{rows} rows of {stride} elements have more elements than 32 bits count; steps must be shorter"
        )));
    }
    Ok(())
}

/// Binds a variant of [`gemm_experts`](crate::gemm_experts).
pub(crate) async fn bind_gemm(
    kernels: &mut Kernels,
    project: &ExpertProject,
    groups: &Groups,
    variant: &gemm::Variant,
    source: &KernelSource,
) -> Result<Vec<Launch>, Error> {
    let gemm::Variant { epilogue, shape, .. } = *variant;
    let (matrix, grouping, top_k) = (&project.matrix, groups.grouping, project.routing.top_k);
    let sharing = if project.rows == ExpertRows::Spread { top_k as u32 } else { 1 };
    let rows_per_expert = project.rows_per_expert();
    let mut launches = Vec::new();
    for shard in &matrix.shards {
        let (first_expert, n_experts) = project.experts(shard.first_row, shard.n_rows);
        let params = gemm::Params {
            units: matrix.units(),
            x_stride: matrix.units() * 2,
            y_stride: project.y_stride as u32,
            n_rows: rows_per_expert as u32,
            n_outputs: epilogue.outputs(rows_per_expert) as u32,
            n_slots: top_k as u32,
            first_expert,
            n_experts,
            sharing,
            ..Default::default()
        };
        let mut buffers = vec![&project.x, &project.y];
        buffers.extend(&shard.streams);
        buffers.extend(project.epilogue.buffers());
        buffers.extend([&groups.tiles, &groups.assignments]);
        let grid = move |step: &StepShape| {
            shape.grid(rows_per_expert as u32, grouping.max_tiles(step.n_tokens as usize) as u32)
        };
        let mut launch = kernels.launch("gemm_experts", source, Some(&params), &buffers, grid).await?;
        // at most: experts without a token are not read
        launch.weight_bytes = matrix.row_bytes(shard.n_rows);
        let cost = project.cost();
        let n_all = project.routing.n_experts as u32;
        launches.push(launch.costing(project.detail(), move |step| {
            let assignments = step.n_tokens * top_k as u32;
            let share = (assignments * n_experts).div_ceil(n_all);
            cost.weights * n_experts.min(share) + cost.vector * share
        }));
    }
    Ok(launches)
}

#[repr(C)]
#[derive(Clone, Copy, NoUninit)]
struct CombineParams {
    stride: u32,
    top_k: u32,
    n_slots: u32,
}

pub(crate) fn combine_source(templates: &Templates) -> KernelSource {
    KernelSource {
        name: "combine_experts".into(),
        wgsl: templates.render("moe/combine_experts.wgsl", context! {}),
        bindings: vec![
            Binding::Params(size_of::<CombineParams>()),
            Binding::Read,
            Binding::Read,
            Binding::ReadWrite,
        ],
        constants: vec![],
    }
}

pub(crate) async fn bind_combine(
    kernels: &mut Kernels,
    grouping: &Grouping,
    routes: &Buffer,
    x: &Buffer,
    n_cols: usize,
    y: &Buffer,
    source: &KernelSource,
) -> Result<Launch, Error> {
    let routing = grouping.routing;
    let stride = (align_row(n_cols) / 4) as u32;
    let params = CombineParams { stride, top_k: routing.top_k as u32, n_slots: routing.n_slots() as u32 };
    let grid = move |shape: &StepShape| Grid([stride.div_ceil(64), shape.n_tokens, 1]);
    let launch = kernels.launch("combine_experts", source, Some(&params), &[routes, x, y], grid).await?;
    let token = Cost::floats((routing.top_k + 2) * n_cols, 2 * routing.top_k * n_cols)
        + Cost::bytes(8 * routing.n_slots());
    let detail = format!("{n_cols} {}", routing.detail());
    Ok(launch.costing(detail, move |step| token * step.n_tokens))
}
