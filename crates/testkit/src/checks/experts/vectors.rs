//! `gemv_experts`: one token through its experts.

use qwill_kernels::{EpilogueKind, ExpertProject, ExpertRows, FusedNorm, cpu, gemv_experts};
use qwill_weights::Layout;

use super::weights::{Experts, Shape, spread};
use super::{FORMS, MIXTURES, ROUTINGS, chosen, layout_for, random_routes, routing};
use crate::checks::Outcome;
use crate::checks::released::COMMON_LAYOUTS;
use crate::checks::rows::{EPS, Factors, TOLERANCE, UNTOUCHED, abs, step_of};
use crate::{Depth, Report, Rig, Rng, block_on, padded_rows, whole_blocks};

/// Experts and what is done with them.
type Case = (Shape, ExpertRows, EpilogueKind);

fn small_cases(depth: Depth) -> Vec<Case> {
    // (outputs, columns); the last for the workgroup of 128
    let shapes = [(37, 40), (16, 130), (5, 24), (3, 2080)];
    let tried = if depth == Depth::Full { 2 } else { 1 };
    let mut cases = Vec::new();
    for at in 0..Layout::ALL.len() {
        for i in 0..tried {
            let case = ROUTINGS[(at + i) % ROUTINGS.len()];
            let (n, k) = shapes[(at + i) % if case.0 < 60 { 4 } else { 3 }];
            // the first two in every layout, the others in turn
            let others =
                FORMS[2..].iter().skip((at + i) % 2).step_by(if depth == Depth::Full { 2 } else { 1 });
            for &(order, rows, epilogue) in FORMS[..2].iter().chain(others) {
                let layout = layout_for(epilogue, at);
                let (routing, experts_per_shard, k) = (routing(case), case.3, whole_blocks(layout, k));
                let n_distinct = usize::MAX;
                let shape = Shape { layout, routing, order, n, k, experts_per_shard, n_distinct };
                cases.push((shape, rows, epilogue));
            }
        }
    }
    cases
}

/// Both projections of every mixture in 4 bits, and of the first in the other common layouts.
fn cases(depth: Depth) -> Vec<Case> {
    let both = |layout, mixture| {
        let [gate_up, down, ..] = FORMS;
        [gate_up, down]
            .map(|(order, rows, epilogue)| (Shape::released(layout, mixture, order), rows, epilogue))
    };
    match depth {
        Depth::Full | Depth::Slice => small_cases(depth),
        Depth::Quick => both(Layout::Q4K, &MIXTURES[0]).to_vec(),
        Depth::Real => {
            let in_four_bits = MIXTURES.iter().flat_map(|mixture| both(Layout::Q4K, mixture));
            let others = COMMON_LAYOUTS.into_iter().filter(|layout| *layout != Layout::Q4K);
            in_four_bits.chain(others.flat_map(|layout| both(layout, &MIXTURES[0]))).collect()
        }
    }
}

/// Runs `gemv_experts`; returns the worst error.
fn try_gemv(
    rig: &mut Rig,
    rng: &mut Rng,
    experts: &Experts,
    rows: ExpertRows,
    epilogue: EpilogueKind,
    gain: Option<&[f32]>,
) -> f64 {
    let Experts { routing, k, .. } = *experts;
    let n = experts.n_outputs(epilogue);
    let routes = random_routes(rng, &routing, 1, routing.n_experts);
    let (ids, weights) = chosen(&routing, &routes);
    let x = rng.floats(if rows == ExpertRows::Spread { k } else { routing.top_k * k }, 2.0);
    let stride = n + 3;
    let y_rows = if rows == ExpertRows::Gather { 1 } else { routing.top_k };
    let y = match epilogue {
        EpilogueKind::Add => rng.floats(y_rows * n, 1.0),
        _ => vec![UNTOUCHED; y_rows * n],
    };
    // the second row's counts for nothing
    let factors = Factors::random(rng, experts.matrix.n_rows, 2);
    let project = ExpertProject {
        matrix: experts.matrix.clone(),
        routing,
        rows,
        epilogue: experts.epilogue(rig, epilogue, &factors),
        x: rig.upload("x", &padded_rows(&x, k)),
        y: rig.upload("y", &spread(&y, n, stride)),
        y_stride: stride,
    };
    let norm = gain.map(|gain| FusedNorm { gain: rig.upload("gain", &padded_rows(gain, k)), eps: EPS });
    let routes = rig.upload("routes", &routes);
    let launches = block_on(gemv_experts(&mut rig.kernels, &project, norm.as_ref(), &routes)).unwrap();
    assert_eq!(launches.len(), experts.matrix.shards.len());
    assert_eq!(
        launches.iter().map(|launch| launch.weight_bytes).sum::<u64>(),
        experts.matrix.row_bytes(routing.top_k * experts.rows_per_expert)
    );
    rig.run(&launches, step_of(1));
    let (sums, magnitudes) = experts.sums(&ids, &x, gain);
    let (wanted, scale) = if rows == ExpertRows::Gather {
        (
            cpu::combine_experts(&y, &sums, &weights, n),
            cpu::combine_experts(&abs(&y), &magnitudes, &weights, n),
        )
    } else {
        experts.finish(epilogue, &ids, (sums, magnitudes), &y, &factors)
    };
    let (wanted, scale) = (spread(&wanted, n, stride), spread(&scale, n, stride));
    let what = format!(
        "{:?} {rows:?} {epilogue:?} {routing:?}, {n} outputs of {k}, {} shards, norm {}",
        experts.matrix.layout,
        launches.len(),
        norm.is_some()
    );
    Report::new(&rig.read(&project.y), &wanted, |i| scale[i].abs()).expect(&what, TOLERANCE)
}

/// Runs a case, and where its rows are those of tokens, again with a norm; returns the worst error.
fn try_case(rig: &mut Rig, rng: &mut Rng, (shape, rows, epilogue): Case) -> f64 {
    let experts = Experts::new(rig, rng, shape);
    let worst = try_gemv(rig, rng, &experts, rows, epilogue, None);
    if rows != ExpertRows::Spread {
        return worst;
    }
    let gain = rng.floats(shape.k, 2.0);
    worst.max(try_gemv(rig, rng, &experts, rows, epilogue, Some(&gain)))
}

pub(in crate::checks) fn vectors(rig: &mut Rig, depth: Depth) -> Outcome {
    let mut rng = Rng::new(2);
    let mut outcome = Outcome::default();
    for case in cases(depth) {
        outcome.case(rig, |rig| try_case(rig, &mut rng, case));
    }
    outcome
}
