//! `gemm`: projections of many rows.

use qwill_kernels::{EpilogueKind, GEMM_MAX_TILE_M, NormRows, StepShape, align_row, cpu, gemm};
use qwill_weights::Layout;

use super::case::{Case, Inputs, Rows, variants};
use crate::checks::Outcome;
use crate::checks::released::{COMMON_LAYOUTS, VOCABULARY, layouts};
use crate::checks::rows::{TOLERANCE, UNTOUCHED, abs, step_of};
use crate::{Depth, Report, Rig, Rng, block_on, on_all_cores, padded_rows, whole_blocks};

/// A projection, the rows of a step, and which of its rows these are.
type Batch = (Case, usize, NormRows);

fn small_cases(depth: Depth) -> Vec<Batch> {
    // (rows, outputs, columns, bytes of a binding): tiles of 16 and 64 rows, whole, short, and more than one
    let shapes = [
        (3, 37, 40, 1 << 20),
        (17, 70, 24, 1 << 20),
        (64, 45, 96, 2048),
        (65, 130, 130, 8192),
        (16, 64, 224, 1 << 20),
    ];
    let mut cases = Vec::new();
    for (at, (layout, epilogue, has_bias)) in variants(depth).into_iter().enumerate() {
        let tried = if depth == Depth::Full { 2 } else { 1 };
        for (m, n, k, max_binding) in (0..tried).map(|i| shapes[(at + at / 5 + i) % shapes.len()]) {
            let first_output = [0, 3][at % 2];
            let k = whole_blocks(layout, k);
            let (has_norm, rows) = (false, Rows::Distinct);
            let case = Case { layout, epilogue, has_bias, has_norm, n, k, rows, first_output, max_binding };
            cases.push((case, m, [NormRows::All, NormRows::Outputs][at / 2 % 2]));
        }
    }
    cases
}

/// Matrices of 0.6B, 8B and the vocabulary in every layout; of smaller and larger models in the common ones.
fn released_cases() -> Vec<Batch> {
    let mut cases = Vec::new();
    for layout in layouts() {
        let case = |epilogue, size| Case::released(layout, epilogue, size);
        cases.extend([
            (case(EpilogueKind::Store, (4096, 1024)), 512, NormRows::All),
            (case(EpilogueKind::Store, (6144, 4096)), 64, NormRows::All),
            (case(EpilogueKind::SiluMul, (3072, 1024)), 17, NormRows::All),
            (case(EpilogueKind::Store, (VOCABULARY, 1024)), 1, NormRows::Outputs),
        ]);
        if COMMON_LAYOUTS.contains(&layout) {
            let square = (4096, 4096);
            cases.extend([1, 17, 64, 512].map(|m| (case(EpilogueKind::Add, square), m, NormRows::All)));
            cases.extend([
                (case(EpilogueKind::Add, (8192, 29_568)), 512, NormRows::All),
                (case(EpilogueKind::SiluMul, (12_288, 4096)), 512, NormRows::All),
                (case(EpilogueKind::Store, (1152, 896)).with_bias(), 512, NormRows::All),
                (case(EpilogueKind::Store, (VOCABULARY, 1024)), 17, NormRows::Outputs),
                (case(EpilogueKind::Store, (65, 3584)), 512, NormRows::All),
                (case(EpilogueKind::AddScaled, (3584, 20_480)), 64, NormRows::All),
            ]);
        }
    }
    cases
}

fn cases(depth: Depth) -> Vec<Batch> {
    match depth {
        Depth::Full | Depth::Slice => small_cases(depth),
        Depth::Quick => vec![
            (Case::released(Layout::Q4, EpilogueKind::Store, (4096, 1024)), 17, NormRows::All),
            (Case::released(Layout::Q4K, EpilogueKind::SiluMul, (3072, 1024)), 8, NormRows::All),
            (Case::released(Layout::Q8, EpilogueKind::Add, (1024, 3072)), 64, NormRows::All),
            (
                Case::released(Layout::BF16, EpilogueKind::Store, (1152, 896)).with_bias(),
                33,
                NormRows::Outputs,
            ),
        ],
        Depth::Real => released_cases(),
    }
}

/// Runs a GEMM over `m` rows; returns the worst error.
pub(super) fn try_gemm(rig: &mut Rig, rng: &mut Rng, (case, m, rows): Batch) -> f64 {
    let inputs = Inputs::new(rng, case, m);
    let (k, stride) = (case.k, inputs.y_stride);
    let padded = m.next_multiple_of(GEMM_MAX_TILE_M as usize);
    let x = rng.floats(m * k, 2.0);
    let mut x_padded = padded_rows(&x, k);
    x_padded.resize(padded * align_row(k), 1e3);
    let y = match case.epilogue {
        EpilogueKind::Add | EpilogueKind::AddScaled => rng.floats(padded * stride, 1.0),
        _ => vec![UNTOUCHED; padded * stride],
    };
    let project = inputs.project(rig, &x_padded, &y);
    let launches = block_on(gemm(&mut rig.kernels, &project, rows, m)).unwrap();
    assert_eq!(launches.iter().map(|launch| launch.weight_bytes).sum::<u64>(), project.matrix.bytes());
    let step = match rows {
        NormRows::All => StepShape { n_outputs: 0, ..step_of(m) },
        NormRows::Outputs => StepShape { n_outputs: m as u32, ..StepShape::default() },
    };
    rig.run(&launches, step);
    let found: Vec<f32> = rig.read(&project.y);
    let (w, w_abs, x_abs) = (&inputs.host.values, abs(&inputs.host.values), abs(&x));
    let (wanted, scale): (Vec<f64>, Vec<f64>) = on_all_cores(m, |rows| {
        let of_rows = rows.start * k..rows.end * k;
        let sums = cpu::gemm(w, &x[of_rows.clone()], k);
        let magnitudes = cpu::gemm(&w_abs, &x_abs[of_rows], k);
        let n = inputs.host.n_distinct();
        let of_row = |((row, sums), magnitudes)| {
            let (wanted, scale) = inputs.finish(row, sums, magnitudes, &y[row * stride..][..stride]);
            wanted.into_iter().zip(scale)
        };
        rows.zip(sums.chunks_exact(n)).zip(magnitudes.chunks_exact(n)).flat_map(of_row).collect()
    })
    .into_iter()
    .unzip();
    let what = format!("{m} rows, {case:?} in {} shards", launches.len());
    Report::new(&found[..m * stride], &wanted, |i| scale[i]).expect(&what, TOLERANCE)
}

pub(in crate::checks) fn matrices(rig: &mut Rig, depth: Depth) -> Outcome {
    let mut rng = Rng::new(4);
    let mut outcome = Outcome::default();
    for batch in cases(depth) {
        outcome.case(rig, |rig| try_gemm(rig, &mut rng, batch));
    }
    outcome
}
