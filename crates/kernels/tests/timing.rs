//! Times and costs of launches.

use std::rc::Rc;

use qwill_kernels::{
    Cost, Epilogue, FusedNorm, NormRows, Project, RowOrder, StepShape, align_row, gemm, gemv, norm_rms,
};
use qwill_testkit::{HostMatrix, Rig, Rng, TestSpan, TestStep, Upload, block_on};
use qwill_weights::Layout;

const N_TOKENS: u32 = 5;

fn shape() -> StepShape {
    StepShape::of_one(N_TOKENS, N_TOKENS, 2, 16)
}

#[test]
fn every_dispatch_has_a_time_however_many_there_are() {
    let mut rig = Rig::open("");
    let n_cols = 64;
    let (step, _) = TestStep::of(vec![TestSpan::without_cache(N_TOKENS as usize)]).upload(&rig);
    let x = rig.empty("x", N_TOKENS as usize * n_cols * 4);
    let y = rig.empty("y", N_TOKENS as usize * n_cols * 4);
    let norm = FusedNorm { gain: rig.empty("gain", n_cols * 4), eps: 1e-6 };
    let launch = block_on(norm_rms(&mut rig.kernels, &step, &x, &norm, n_cols, NormRows::All, &y)).unwrap();
    // a query set holds 2048
    for n_dispatches in [0, 1, 2048, 4500] {
        let mut pass = rig.gpu().step();
        for _ in 0..n_dispatches {
            pass.run(&launch.dispatch, launch.grid(&shape()));
        }
        let times = block_on(pass.submit_timed()).unwrap();
        assert_eq!(times.dispatches.len(), n_dispatches);
        assert!(times.dispatches.iter().all(|&time| time > 0.0), "{n_dispatches}: a dispatch took no time");
        let sum: f64 = times.dispatches.iter().sum();
        assert!(sum <= times.span, "{n_dispatches} dispatches of {sum} ns in {} ns", times.span);
    }
}

#[test]
fn projections_cost_their_weights_vectors_and_products() {
    let mut rig = Rig::open("");
    let (n, k, x_bytes, y_bytes) = (64, 96, 5 * 96 * 4, 5 * 64 * 4);
    let host = HostMatrix::random(&mut Rng::new(1), Layout::Q8, n, k);
    let matrix = host.upload(&rig, RowOrder::Plain, 1 << 20);
    let rows = 64 * align_row(k) * 4;
    let mut project = Project {
        matrix: Rc::new(matrix),
        x: rig.empty("x", rows),
        y: rig.empty("y", rows),
        y_stride: n,
        first_output: 0,
        epilogue: Epilogue::Store(None),
    };
    // a byte a weight and an f16 for 32 of them, filled up to words
    let weights = (n * (k + 8)) as u64;
    let flops = (2 * n * k) as u64;
    let all = block_on(gemm(&mut rig.kernels, &project, NormRows::All, 5)).unwrap();
    assert_eq!(all[0].cost(&shape()), Cost { bytes: weights + x_bytes + y_bytes, flops: 5 * flops });
    assert_eq!(all[0].detail, "q8 64x96 store");
    let outputs = block_on(gemm(&mut rig.kernels, &project, NormRows::Outputs, 5)).unwrap();
    assert_eq!(outputs[0].cost(&shape()).flops, 2 * flops);
    project.epilogue = Epilogue::Add;
    let one = block_on(gemv(&mut rig.kernels, &project, None)).unwrap();
    // what it adds to is read too
    assert_eq!(one[0].cost(&shape()), Cost { bytes: weights + x_bytes / 5 + 2 * y_bytes / 5, flops });
}
