//! Experts with random weights, and what the twins make of them.

use std::rc::Rc;

use qwill_kernels::cpu::{self, Finish};
use qwill_kernels::{DeviceMatrix, Epilogue, EpilogueKind, Routing, RowOrder};
use qwill_weights::Layout;

use crate::checks::released::{DISTINCT_GATE_UP_ROWS, DISTINCT_ROWS, Mixture};
use crate::checks::rows::{EPS, Factors, UNTOUCHED, abs, silu_mul_scale};
use crate::{HostMatrix, Rig, Rng, Upload, on_all_cores, whole_blocks};

/// Experts of a layer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    pub(super) layout: Layout,
    pub(super) routing: Routing,
    pub(super) order: RowOrder,
    /// Outputs of an expert, before the padding of gate and up.
    pub(super) n: usize,
    pub(super) k: usize,
    /// Experts in a shard, if a binding holds as many.
    pub(super) experts_per_shard: usize,
    /// Rows that differ, at most.
    pub(super) n_distinct: usize,
}

impl Shape {
    /// Gate and up, or down, of a released mixture; the next width that the layout has blocks for.
    pub(super) fn released(layout: Layout, mixture: &Mixture, order: RowOrder) -> Self {
        let Mixture { routing, hidden_size, intermediate_size } = *mixture;
        let (n, k, n_distinct) = match order {
            RowOrder::GateUp => (intermediate_size, hidden_size, DISTINCT_GATE_UP_ROWS),
            RowOrder::Plain => (hidden_size, intermediate_size, DISTINCT_ROWS),
        };
        let k = whole_blocks(layout, k);
        Self { layout, routing, order, n, k, experts_per_shard: usize::MAX, n_distinct }
    }
}

/// Experts with random weights.
pub(super) struct Experts {
    pub(super) routing: Routing,
    pub(super) rows_per_expert: usize,
    pub(super) k: usize,
    host: HostMatrix,
    pub(super) matrix: Rc<DeviceMatrix>,
}

/// Sums of rows of weights, and their magnitudes.
pub(super) type Sums = (Vec<f64>, Vec<f64>);

impl Experts {
    pub(super) fn new(rig: &Rig, rng: &mut Rng, shape: Shape) -> Self {
        let Shape { layout, routing, order, n, k, .. } = shape;
        let rows = match order {
            RowOrder::GateUp => cpu::interleave_gate_up(n),
            RowOrder::Plain => (0..n).map(|output| Some((0, output))).collect(),
        };
        let rows_per_expert = rows.len();
        let n_rows = routing.n_experts * rows_per_expert;
        let mut host = HostMatrix::random(rng, layout, n_rows.min(shape.n_distinct), k).repeated(n_rows);
        // released widths have no padding, so what is cleared does not repeat
        for row in (0..n_rows).filter(|row| rows[row % rows_per_expert].is_none()) {
            host.clear_row(row);
        }
        let that_fit = host.rows_in_binding(rig, u64::MAX) / rows_per_expert;
        let experts_per_shard = shape.experts_per_shard.min(that_fit);
        let matrix = Rc::new(host.upload_shards(rig, order, experts_per_shard * rows_per_expert));
        Self { routing, rows_per_expert, k, host, matrix }
    }

    /// Outputs of an expert with padding.
    pub(super) fn n_outputs(&self, epilogue: EpilogueKind) -> usize {
        match epilogue {
            EpilogueKind::SiluMul => self.rows_per_expert / 2,
            _ => self.rows_per_expert,
        }
    }

    /// An epilogue of that kind, with the factors of the rows of all experts and of the tokens where it scales.
    pub(super) fn epilogue(&self, rig: &Rig, kind: EpilogueKind, factors: &Factors) -> Epilogue {
        match kind {
            EpilogueKind::Store => Epilogue::Store(None),
            EpilogueKind::Add => Epilogue::Add,
            EpilogueKind::StoreScaled => Epilogue::StoreScaled(factors.upload(rig)),
            EpilogueKind::SiluMul => Epilogue::SiluMul,
            EpilogueKind::Relu | EpilogueKind::AddScaled => panic!("experts do not go with {kind:?}"),
        }
    }

    /// What an epilogue makes of the sums of `experts`, in `y` as it was before; and how far that moves when the sums move
    /// by their magnitudes.
    pub(super) fn finish(
        &self,
        epilogue: EpilogueKind,
        experts: &[u32],
        (sums, magnitudes): Sums,
        y: &[f32],
        factors: &Factors,
    ) -> (Vec<f64>, Vec<f64>) {
        match epilogue {
            EpilogueKind::SiluMul => {
                (cpu::finish(&sums, Finish::SiluMul), silu_mul_scale(&sums, &magnitudes))
            }
            EpilogueKind::Add => {
                let scale = magnitudes.iter().zip(y).map(|(m, y)| m + f64::from(y.abs())).collect();
                (cpu::finish(&sums, Finish::Add(y)), scale)
            }
            EpilogueKind::StoreScaled => {
                let rows = self.rows_per_expert;
                let of_slots = |sums: &[f64], factors: &Factors| {
                    let of_slot = |(slot, (&expert, sums)): (usize, (&u32, &[f64]))| {
                        let outputs = &factors.outputs[expert as usize * rows..][..rows];
                        let of_token = factors.rows[slot / self.routing.top_k];
                        cpu::finish(sums, Finish::StoreScaled(outputs, of_token))
                    };
                    experts.iter().zip(sums.chunks_exact(rows)).enumerate().flat_map(of_slot).collect()
                };
                (of_slots(&sums, factors), of_slots(&magnitudes, &factors.abs()))
            }
            _ => (sums, magnitudes),
        }
    }

    /// Sums of rows of `x` with an expert each, and their magnitudes.
    pub(super) fn sums(&self, experts: &[u32], x: &[f32], gain: Option<&[f32]>) -> Sums {
        let gain_abs = gain.map(abs);
        (
            self.twin(&self.host.values, experts, x, gain),
            self.twin(&abs(&self.host.values), experts, &abs(x), gain_abs.as_deref()),
        )
    }

    /// [`cpu::gemv_experts`]; where rows repeat, each distinct one is computed once for a row of `x`.
    fn twin(&self, w: &[f32], experts: &[u32], x: &[f32], gain: Option<&[f32]>) -> Vec<f64> {
        let (rows, k, n_distinct) = (self.rows_per_expert, self.k, self.host.n_distinct());
        let norm = gain.map(|gain| (gain, f64::from(EPS)));
        if n_distinct == self.host.n_rows {
            return cpu::gemv_experts(w, rows, experts, x, k, norm);
        }
        let n_x = x.len() / k;
        let distinct = on_all_cores(n_x, |range| {
            x[range.start * k..range.end * k].chunks_exact(k).flat_map(|x| cpu::gemv(w, x, norm)).collect()
        });
        let of_expert = |(i, &expert): (usize, &u32)| {
            let sums = &distinct[i / (experts.len() / n_x) * n_distinct..][..n_distinct];
            let first = expert as usize * rows;
            (first..first + rows).map(move |row| sums[row % n_distinct])
        };
        experts.iter().enumerate().flat_map(of_expert).collect()
    }
}

/// Rows of `width` numbers with `UNTOUCHED` up to `stride`.
pub(super) fn spread<T: Copy + From<f32>>(rows: &[T], width: usize, stride: usize) -> Vec<T> {
    let pad = vec![T::from(UNTOUCHED); stride - width];
    rows.chunks_exact(width).flat_map(|row| row.iter().chain(&pad)).copied().collect()
}
