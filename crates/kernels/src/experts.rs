//! Projections by the experts that tokens were routed to.

use std::rc::Rc;

use qwill_gpu::{Grid, wgpu};

use crate::gemv::{self, Variant};
use crate::tuning::gemv_shape;
use crate::{DeviceMatrix, Epilogue, Error, FusedNorm, Kernels, Launch, Routing, RowOrder};

/// A projection by the experts of a layer, each with rows of its own.
///
/// Matrices in [`RowOrder::GateUp`] take the input of the layer to `silu(gate) * up` for each chosen expert; those in
/// [`RowOrder::Plain`] take that down again.
#[derive(Debug, Clone)]
pub struct ExpertProject {
    /// The rows of all experts, expert after expert; each shard holds whole experts.
    pub matrix: Rc<DeviceMatrix>,
    /// How tokens choose experts.
    pub routing: Routing,
    /// Input, rows of `align_row(k)` f32: `[n_tokens]` rows for gate and up, `[n_tokens * top_k]` for down.
    pub x: wgpu::Buffer,
    /// Output, rows of `y_stride` f32.
    pub y: wgpu::Buffer,
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

    /// Refuses what no kernel does.
    fn check(&self) -> Result<(), Error> {
        self.routing.check()?;
        let (n_rows, n_experts) = (self.matrix.n_rows, self.routing.n_experts);
        let granule = if self.matrix.order == RowOrder::GateUp { 32 } else { 1 };
        if n_rows == 0 || !n_rows.is_multiple_of(n_experts * granule) {
            return Err(Error::Shape(format!(
                "{n_rows} rows in {:?} order are not those of {n_experts} experts; each must have the same number, \
                 a multiple of {granule}",
                self.matrix.order
            )));
        }
        let rows = self.rows_per_expert();
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

/// Projects token 0 through the experts in its `routes`; one launch a shard, which reads the rows of chosen experts only.
///
/// - gate and up: `y[slot] = silu(gate) * up` of row 0 of `x`, with its norm fused in where given;
/// - down: `y[0] += sum_slot weight[slot] * down(x[slot])`, slots in order.
///
/// `routes` is what [`route_experts`](crate::route_experts) writes. The slot of a shared expert is not looked at.
pub async fn gemv_experts(
    kernels: &mut Kernels,
    project: &ExpertProject,
    norm: Option<&FusedNorm>,
    routes: &wgpu::Buffer,
) -> Result<Vec<Launch>, Error> {
    project.check()?;
    let matrix = &project.matrix;
    let epilogue = match matrix.order {
        RowOrder::GateUp => Epilogue::SiluMul,
        RowOrder::Plain if norm.is_some() => {
            return Err(Error::Shape("a norm goes with gate and up of experts, not with down".into()));
        }
        RowOrder::Plain => Epilogue::Add,
    };
    let variant = Variant {
        layout: matrix.layout,
        shape: gemv_shape(kernels.gpu.caps(), matrix.k),
        epilogue,
        norm: norm.is_some(),
        bias: false,
        experts: true,
    };
    let source = gemv::source(&kernels.templates, kernels.gpu.caps(), &variant);
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
            ..Default::default()
        };
        let mut buffers = vec![&project.x, &project.y];
        buffers.extend(&shard.streams);
        buffers.extend(norm.map(|n| &n.gain));
        buffers.push(routes);
        let mut grid = Grid::folded(n_outputs.div_ceil(variant.outputs()));
        if epilogue == Epilogue::SiluMul {
            grid.0[2] = top_k as u32;
        }
        launches.push(kernels.launch("gemv_experts", &source, Some(&params), &buffers, move |_| grid).await?);
    }
    // which shards the chosen experts lie in is known on the GPU only
    if let Some(first) = launches.first_mut() {
        first.weight_bytes = matrix.row_bytes(top_k * rows_per_expert);
    }
    Ok(launches)
}
