//! `norm_rms`.

use qwill_kernels::{FusedNorm, NormRows, StepOutput, align_row, cpu, norm_rms};

use crate::checks::Outcome;
use crate::checks::rows::{EPS, TOLERANCE, cut_rows};
use crate::{Depth, Report, Rig, Rng, TestSpan, TestStep, block_on, padded_rows};

/// (rows, columns, rows between outputs, size of the numbers)
type Case = (usize, usize, usize, f32);

fn cases(depth: Depth) -> Vec<Case> {
    match depth {
        Depth::Slice => vec![(3, 40, 2, 1.0), (2, 130, 1, 1e-3)],
        Depth::Full => vec![
            (3, 40, 2, 1.0),
            (2, 130, 1, 1e-3),
            (1, 24, 1, 1e4),
            (70, 96, 69, 1.0),
            (5, 2050, 3, 30.0),
            (4, 4096, 1, 1e-6),
        ],
        Depth::Quick => vec![(33, 1024, 8, 10.0)],
        Depth::Real => [1024, 4096, 896, 1536, 3584, 2048, 5120, 2560, 8192, 6144]
            .into_iter()
            .flat_map(|k| [(512, k, 100, 10.0), (17, k, 1, 1e3)])
            .collect(),
    }
}

pub(super) fn try_norm(rig: &mut Rig, rng: &mut Rng, (n_rows, k, apart, size): Case) -> f64 {
    let what = format!("{n_rows} rows of {k} numbers below {size}");
    let x = rng.floats(n_rows * k, size);
    let weight = rng.floats(k, 2.0);
    let wanted = cpu::norm_rms(&x, &weight, f64::from(EPS));
    // from the last row backwards
    let outputs: Vec<usize> = (0..n_rows).rev().step_by(apart).collect();
    let output =
        |&row: &usize| StepOutput { token: row as u32, slot: 0, seed: 0, index: 0, draw: None, report: None };
    let step = TestStep {
        outputs: outputs.iter().map(output).collect(),
        ..TestStep::of(vec![TestSpan::without_cache(n_rows)])
    };
    let (step, shape) = step.upload(rig);
    let x_buffer = rig.upload("x", &padded_rows(&x, k));
    let norm = FusedNorm { gain: rig.upload("gain", &padded_rows(&weight, k)), eps: EPS };
    let mut worst: f64 = 0.0;
    for rows in [NormRows::All, NormRows::Outputs] {
        let sources = match rows {
            NormRows::All => (0..n_rows).collect(),
            NormRows::Outputs => outputs.clone(),
        };
        let y = rig.empty("y", sources.len() * align_row(k) * 4);
        let launch = block_on(norm_rms(&mut rig.kernels, &step, &x_buffer, &norm, k, rows, &y)).unwrap();
        rig.run([&launch], shape.clone());
        let found = cut_rows(&rig.read::<f32>(&y), k, align_row(k));
        let wanted: Vec<f64> = sources.iter().flat_map(|row| &wanted[row * k..][..k]).copied().collect();
        let report = Report::new(&found, &wanted, |i| wanted[i].abs());
        worst = worst.max(report.expect(&format!("{what}, {rows:?}"), TOLERANCE));
    }
    worst
}

pub(in crate::checks) fn norms(rig: &mut Rig, depth: Depth) -> Outcome {
    let mut rng = Rng::new(2);
    let mut outcome = Outcome::default();
    for case in cases(depth) {
        outcome.case(rig, |rig| try_norm(rig, &mut rng, case));
    }
    outcome
}
