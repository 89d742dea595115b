//! `gemv`: projections of one row.

use qwill_kernels::{EpilogueKind, FusedNorm, cpu, gemv};
use qwill_weights::Layout;

use super::case::{Case, Inputs, Rows, variants};
use crate::checks::Outcome;
use crate::checks::released::{COMMON_LAYOUTS, VOCABULARY, layouts};
use crate::checks::rows::{EPS, TOLERANCE, UNTOUCHED, abs, step_of};
use crate::{Depth, Report, Rig, Rng, block_on, padded_rows, whole_blocks};

fn small_cases(rig: &Rig, depth: Depth) -> Vec<Case> {
    // (outputs, columns, bytes of a binding); the last two for the workgroups of 128 and 256
    let shapes = [
        (37, 40, 1 << 20),
        (21, 24, 1 << 20),
        (45, 130, 2048),
        (70, 96, 4096),
        (5, 2080, 1 << 20),
        (3, 8224, 1 << 20),
    ];
    let rows = Rows::Distinct;
    let mut cases = Vec::new();
    for (at, (layout, epilogue, has_bias)) in variants(depth).into_iter().enumerate() {
        for has_norm in [false, true] {
            // two shapes for each variant, so that every shape meets every layout
            for (n, k, max_binding) in [shapes[at % 4], shapes[2 + (at + usize::from(has_norm)) % 4]] {
                let first_output = [0, 3][at % 2];
                let k = whole_blocks(layout, k);
                let case =
                    Case { layout, epilogue, has_bias, has_norm, n, k, rows, first_output, max_binding };
                cases.push(case);
            }
        }
    }
    if depth == Depth::Full && !rig.caps().is_software {
        // more workgroups than one dimension of a grid holds
        let many = (4 * 65_535 + 9, 32);
        cases.push(Case { rows, ..Case::released(Layout::Q4, EpilogueKind::Store, many) });
    }
    cases
}

/// Matrices of 0.6B, 8B and the vocabulary in every layout; of smaller and larger models in the common ones.
fn released_cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for layout in layouts() {
        let case = |epilogue, size| Case::released(layout, epilogue, size);
        cases.extend([
            case(EpilogueKind::Store, (4096, 1024)).with_norm(),
            case(EpilogueKind::Store, (6144, 4096)).with_norm(),
            case(EpilogueKind::SiluMul, (3072, 1024)).with_norm(),
            case(EpilogueKind::Store, (VOCABULARY, 1024)),
        ]);
        if COMMON_LAYOUTS.contains(&layout) {
            cases.extend([
                case(EpilogueKind::Add, (8192, 29_568)),
                case(EpilogueKind::SiluMul, (29_568, 8192)).with_norm(),
                case(EpilogueKind::Add, (1024, 3072)),
                case(EpilogueKind::Add, (4096, 12_288)),
                case(EpilogueKind::Store, (1152, 896)).with_norm().with_bias(),
                // the router of a mixture with the gate of its shared expert, and the down projection of that
                case(EpilogueKind::Store, (65, 3584)).with_norm(),
                case(EpilogueKind::AddScaled, (3584, 20_480)),
            ]);
        }
    }
    cases
}

fn cases(rig: &Rig, depth: Depth) -> Vec<Case> {
    match depth {
        Depth::Full | Depth::Slice => small_cases(rig, depth),
        Depth::Quick => vec![
            Case::released(Layout::Q4, EpilogueKind::Store, (4096, 1024)).with_norm(),
            Case::released(Layout::Q4K, EpilogueKind::SiluMul, (3072, 1024)).with_norm(),
            Case::released(Layout::Q8, EpilogueKind::Add, (1024, 3072)),
            Case::released(Layout::BF16, EpilogueKind::Store, (1152, 896)).with_norm().with_bias(),
            Case::released(Layout::Q4, EpilogueKind::Store, (VOCABULARY, 1024)),
        ],
        Depth::Real => released_cases(),
    }
}

/// Runs a GEMV; returns the worst error.
pub(super) fn try_gemv(rig: &mut Rig, rng: &mut Rng, case: Case) -> f64 {
    let inputs = Inputs::new(rng, case, 1);
    let x = rng.floats(case.k, 2.0);
    let y = match case.epilogue {
        EpilogueKind::Add | EpilogueKind::AddScaled => rng.floats(inputs.y_stride, 1.0),
        _ => vec![UNTOUCHED; inputs.y_stride],
    };
    let project = inputs.project(rig, &padded_rows(&x, case.k), &y);
    let norm = case
        .has_norm
        .then(|| FusedNorm { gain: rig.upload("gain", &padded_rows(&inputs.gain, case.k)), eps: EPS });
    let launches = block_on(gemv(&mut rig.kernels, &project, norm.as_ref())).unwrap();
    assert_eq!(launches.len(), project.matrix.shards.len());
    assert_eq!(launches.iter().map(|launch| launch.weight_bytes).sum::<u64>(), project.matrix.bytes());
    rig.run(&launches, step_of(1));
    let gain = abs(&inputs.gain);
    let sums = cpu::gemv(&inputs.host.values, &x, case.has_norm.then_some((&inputs.gain, f64::from(EPS))));
    let magnitudes =
        cpu::gemv(&abs(&inputs.host.values), &abs(&x), case.has_norm.then_some((&gain, f64::from(EPS))));
    let (wanted, scale) = inputs.finish(0, &sums, &magnitudes, &y);
    let what = format!("{case:?} in {} shards", launches.len());
    Report::new(&rig.read(&project.y), &wanted, |i| scale[i]).expect(&what, TOLERANCE)
}

pub(in crate::checks) fn vectors(rig: &mut Rig, depth: Depth) -> Outcome {
    let mut rng = Rng::new(3);
    let mut outcome = Outcome::default();
    for case in cases(rig, depth) {
        outcome.case(rig, |rig| try_gemv(rig, &mut rng, case));
    }
    outcome
}
