//! `silu_mul`: gate and up stored as they are and then combined give the bits of the fused epilogue.

use std::rc::Rc;

use qwill_gpu::Buffer;
use qwill_kernels::{Epilogue, GEMM_MAX_TILE_M, NormRows, Project, RowOrder, align_row, cpu, gemm, silu_mul};
use qwill_weights::Layout;

use crate::checks::Outcome;
use crate::checks::rows::{TOLERANCE, UNTOUCHED, cut_rows, step_of};
use crate::{Depth, HostMatrix, Report, Rig, Rng, Upload, block_on, padded_rows};

/// Distinct rows of a large matrix.
const DISTINCT_ROWS: usize = 13 * 32;

/// (rows, outputs before the padding of gate and up, columns, rows of a token)
type Case = (usize, usize, usize, usize);

fn cases(depth: Depth) -> Vec<Case> {
    match depth {
        Depth::Slice => vec![(3, 37, 40, 1), (6, 16, 130, 2)],
        Depth::Full => {
            vec![(3, 37, 40, 1), (6, 16, 130, 2), (1, 5, 24, 1), (17, 150, 64, 1), (21, 29, 72, 3)]
        }
        Depth::Quick => vec![(8, 3072, 1024, 1)],
        // dense models, and the rows of the slots of a mixture
        Depth::Real => vec![
            (512, 3072, 1024, 1),
            (64, 12_288, 4096, 1),
            (1, 4864, 896, 1),
            (17, 25_600, 5120, 1),
            (512, 768, 2048, 8),
            (240, 1408, 2048, 4),
        ],
    }
}

fn try_activation(rig: &mut Rig, rng: &mut Rng, (m, n, k, rows_per_token): Case) -> f64 {
    let n_rows = n.next_multiple_of(16) * 2;
    let (x_stride, y_stride) = (align_row(n_rows), n_rows / 2 + 3);
    let host = HostMatrix::random(rng, Layout::BF16, n_rows.min(DISTINCT_ROWS), k).repeated(n_rows);
    let matrix = Rc::new(host.upload(rig, RowOrder::GateUp, u64::MAX));
    let padded = m.next_multiple_of(GEMM_MAX_TILE_M as usize);
    let mut x = padded_rows(&rng.floats(m * k, 2.0), k);
    x.resize(padded * align_row(k), 0.0);
    let x = rig.upload("x", &x);
    let wide = rig.empty("gate and up", padded * x_stride * 4);
    let project = |epilogue, y: &Buffer, y_stride| Project {
        matrix: matrix.clone(),
        x: x.clone(),
        y: y.clone(),
        y_stride,
        first_output: 0,
        epilogue,
    };
    let untouched = vec![UNTOUCHED; padded * y_stride];
    let (fused, apart) = (rig.upload("fused", &untouched), rig.upload("apart", &untouched));
    let step = step_of(m / rows_per_token);
    let kernels = &mut rig.kernels;
    let fuse = project(Epilogue::SiluMul, &fused, y_stride);
    let store = project(Epilogue::Store(None), &wide, x_stride);
    let fuse = block_on(gemm(kernels, &fuse, NormRows::All, m)).unwrap();
    let store = block_on(gemm(kernels, &store, NormRows::All, m)).unwrap();
    let combine = block_on(silu_mul(kernels, &wide, n_rows, rows_per_token, &apart, y_stride)).unwrap();
    rig.run(fuse.iter().chain(&store), step_of(m));
    rig.run([&combine], step);
    let (fused, found): (Vec<f32>, Vec<f32>) = (rig.read(&fused), rig.read(&apart));
    let (fused, found) = (&fused[..m * y_stride], &found[..m * y_stride]);
    let what = format!("{m} rows, {n} outputs of {k}");
    let same: Vec<f64> = fused.iter().map(|&y| y.into()).collect();
    Report::new(found, &same, |_| 1.0).expect(&format!("fused and apart, {what}"), 0.0);
    let stored = cut_rows(&rig.read::<f32>(&wide)[..m * x_stride], n_rows, x_stride);
    let wanted = cpu::silu_mul(&stored, n_rows);
    let found = cut_rows(found, n_rows / 2, y_stride);
    Report::new(&found, &wanted, |i| wanted[i].abs() + 1e-30).expect(&what, TOLERANCE)
}

pub(in crate::checks) fn activations(rig: &mut Rig, depth: Depth) -> Outcome {
    let mut rng = Rng::new(5);
    let mut outcome = Outcome::default();
    for case in cases(depth) {
        outcome.case(rig, |rig| try_activation(rig, &mut rng, case));
    }
    outcome
}
