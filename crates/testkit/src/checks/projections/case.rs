//! A projection with random contents.

use std::rc::Rc;

use qwill_kernels::cpu::{self, Finish};
use qwill_kernels::{Epilogue, EpilogueKind, Project, RowOrder, SlotWeight};
use qwill_weights::Layout;

use crate::checks::released::{DISTINCT_GATE_UP_ROWS, DISTINCT_ROWS};
use crate::checks::rows::{Factors, silu_mul_scale};
use crate::{Depth, HostMatrix, Rig, Rng, Upload, whole_blocks};

/// These meet every epilogue; the others differ in `load_w8` only, and meet one each.
const EVERY_EPILOGUE: [Layout; 5] = [Layout::F32, Layout::F16, Layout::BF16, Layout::Q8, Layout::Q4];
/// Slots of the routes, and the one whose weight scales a product.
const N_SLOTS: usize = 3;
const SLOT: usize = 2;

/// Whether the rows of a matrix repeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rows {
    /// No two are the same.
    Distinct,
    /// Some are there again and again, so that the twin has little to do.
    Repeated,
}

/// What a projection is tried with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Case {
    pub(super) layout: Layout,
    pub(super) epilogue: EpilogueKind,
    pub(super) has_bias: bool,
    pub(super) has_norm: bool,
    /// Outputs, before the padding of gate and up.
    pub(super) n: usize,
    pub(super) k: usize,
    pub(super) rows: Rows,
    pub(super) first_output: usize,
    pub(super) max_binding: u64,
}

impl Case {
    /// A matrix of a released model, or the next size that the layout has blocks for.
    pub(super) fn released(layout: Layout, epilogue: EpilogueKind, (n, k): (usize, usize)) -> Self {
        Self {
            layout,
            epilogue,
            has_bias: false,
            has_norm: false,
            n,
            k: whole_blocks(layout, k),
            rows: Rows::Repeated,
            first_output: 0,
            max_binding: u64::MAX,
        }
    }

    pub(super) fn with_bias(self) -> Self {
        Self { has_bias: true, ..self }
    }

    pub(super) fn with_norm(self) -> Self {
        Self { has_norm: true, ..self }
    }
}

/// A case with random contents.
pub(super) struct Inputs {
    pub(super) case: Case,
    /// Outputs with padding.
    n: usize,
    pub(super) y_stride: usize,
    order: RowOrder,
    pub(super) host: HostMatrix,
    bias: Option<Vec<f32>>,
    /// (expert, weight) of every row and slot.
    routes: Vec<(u32, f32)>,
    factors: Factors,
    pub(super) gain: Vec<f32>,
}

impl Inputs {
    pub(super) fn new(rng: &mut Rng, case: Case, m: usize) -> Self {
        let (order, n_rows, few) = match case.epilogue {
            EpilogueKind::SiluMul => {
                (RowOrder::GateUp, case.n.next_multiple_of(16) * 2, DISTINCT_GATE_UP_ROWS)
            }
            _ => (RowOrder::Plain, case.n, DISTINCT_ROWS),
        };
        let n_distinct = match case.rows {
            Rows::Distinct => n_rows,
            Rows::Repeated => few.min(n_rows),
        };
        let mut host = HostMatrix::random(rng, case.layout, n_distinct, case.k).repeated(n_rows);
        if case.epilogue == EpilogueKind::SiluMul {
            for (row, source) in cpu::interleave_gate_up(case.n).into_iter().enumerate() {
                if source.is_none() {
                    host.clear_row(row);
                }
            }
        }
        let n = if order == RowOrder::GateUp { n_rows / 2 } else { n_rows };
        let y_stride = case.first_output + n + 5;
        Self {
            case,
            n,
            y_stride,
            order,
            host,
            bias: case.has_bias.then(|| rng.floats(y_stride, 1.0)),
            routes: rng.floats(m * N_SLOTS, 1.0).into_iter().map(|weight| (7, weight)).collect(),
            // of one row, the next one's counts for nothing
            factors: Factors::random(rng, y_stride, m.max(2)),
            gain: rng.floats(case.k, 2.0),
        }
    }

    pub(super) fn project(&self, rig: &Rig, x: &[f32], y: &[f32]) -> Project {
        Project {
            matrix: Rc::new(self.host.upload(rig, self.order, self.case.max_binding)),
            x: rig.upload("x", x),
            y: rig.upload("y", y),
            y_stride: self.y_stride,
            first_output: self.case.first_output,
            epilogue: self.epilogue(rig),
        }
    }

    fn epilogue(&self, rig: &Rig) -> Epilogue {
        let bias = || self.bias.as_ref().map(|bias| rig.upload("bias", bias));
        match self.case.epilogue {
            EpilogueKind::Store => Epilogue::Store(bias()),
            EpilogueKind::Relu => Epilogue::Relu(bias()),
            EpilogueKind::Add => Epilogue::Add,
            EpilogueKind::AddScaled => {
                let routes: Vec<[u32; 2]> =
                    self.routes.iter().map(|&(expert, weight)| [expert, weight.to_bits()]).collect();
                let routes = rig.upload("routes", &routes);
                Epilogue::AddScaled(SlotWeight { routes, slot: SLOT, n_slots: N_SLOTS })
            }
            EpilogueKind::StoreScaled => Epilogue::StoreScaled(self.factors.upload(rig)),
            EpilogueKind::SiluMul => Epilogue::SiluMul,
        }
    }

    /// The outputs of row `m` and how far each moves when its sums move by their magnitudes, from the sums and magnitudes
    /// of the distinct rows, in `y_before` as it was before.
    pub(super) fn finish(
        &self,
        m: usize,
        sums: &[f64],
        magnitudes: &[f64],
        y_before: &[f32],
    ) -> (Vec<f64>, Vec<f64>) {
        let (sums, magnitudes) = (self.host.of_all_rows(sums), self.host.of_all_rows(magnitudes));
        let from = self.case.first_output;
        let bias = self.bias.as_ref().map(|bias| &bias[from..]);
        let how = match self.case.epilogue {
            EpilogueKind::Store => Finish::Store(bias),
            EpilogueKind::Relu => Finish::Relu(bias),
            EpilogueKind::Add => Finish::Add(&y_before[from..]),
            EpilogueKind::AddScaled => {
                Finish::AddScaled(&y_before[from..], self.routes[m * N_SLOTS + SLOT].1)
            }
            EpilogueKind::StoreScaled => {
                Finish::StoreScaled(&self.factors.outputs[from..], self.factors.rows[m])
            }
            EpilogueKind::SiluMul => Finish::SiluMul,
        };
        let outputs = cpu::finish(&sums, how);
        let scales = match self.case.epilogue {
            EpilogueKind::SiluMul => silu_mul_scale(&sums, &magnitudes),
            EpilogueKind::StoreScaled => {
                let factors = self.factors.abs();
                cpu::finish(&magnitudes, Finish::StoreScaled(&factors.outputs[from..], factors.rows[m]))
            }
            _ => magnitudes.iter().zip(&outputs).map(|(m, y)| m + y.abs()).collect(),
        };
        let mut row: Vec<f64> = y_before.iter().map(|&y| y.into()).collect();
        row[from..][..self.n].copy_from_slice(&outputs);
        let mut scale = vec![0.0; self.y_stride];
        scale[from..][..self.n].copy_from_slice(&scales);
        (row, scale)
    }
}

/// Every layout with every epilogue, at a small depth: (layout, epilogue, bias).
pub(super) fn variants(depth: Depth) -> Vec<(Layout, EpilogueKind, bool)> {
    let epilogues = [
        (EpilogueKind::Store, false),
        (EpilogueKind::Relu, false),
        (EpilogueKind::Store, true),
        (EpilogueKind::Relu, true),
        (EpilogueKind::Add, false),
        (EpilogueKind::AddScaled, false),
        (EpilogueKind::SiluMul, false),
        (EpilogueKind::StoreScaled, false),
    ];
    let all = Layout::ALL.into_iter().enumerate().flat_map(|(i, layout)| {
        epilogues.into_iter().enumerate().map(move |(j, (epilogue, bias))| (i + j, layout, epilogue, bias))
    });
    // the slice has every layout and every epilogue, not each with each
    let is_full = |layout| depth == Depth::Full && EVERY_EPILOGUE.contains(&layout);
    all.filter(|(diagonal, layout, ..)| is_full(*layout) || diagonal % 8 == 7)
        .map(|(_, layout, epilogue, bias)| (layout, epilogue, bias))
        .collect()
}
