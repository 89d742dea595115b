//! `gemm_experts`: the tokens of a step through their experts.

use qwill_kernels::{EpilogueKind, ExpertProject, ExpertRows, RowOrder, gemm_experts};
use qwill_weights::Layout;

use super::groups::group;
use super::weights::{Experts, Shape, spread};
use super::{Batch, FORMS, MIXTURES, chosen, layout_for, random_routes, released_batch, small_batches};
use crate::checks::Outcome;
use crate::checks::released::Mixture;
use crate::checks::rows::{Factors, TOLERANCE, UNTOUCHED, step_of};
use crate::{Depth, Report, Rig, Rng, block_on, padded_rows, whole_blocks};

/// Experts and what is done with them.
type Case = (Shape, ExpertRows, EpilogueKind);

/// What a layer with an adapter does with many tokens.
fn forms() -> impl Iterator<Item = (RowOrder, ExpertRows, EpilogueKind)> {
    FORMS.into_iter().map(|(order, rows, epilogue)| match rows {
        ExpertRows::Gather => (order, ExpertRows::Slots, EpilogueKind::Store),
        _ => (order, rows, epilogue),
    })
}

fn small_steps(depth: Depth) -> Vec<(Batch, Vec<Case>)> {
    // (outputs, columns)
    let shapes = [(37, 40), (70, 24), (16, 130)];
    let of_batch = |(at, batch): (usize, Batch)| {
        let routing = batch.grouping.routing;
        // the first two for every grouping, the others in turn
        let tried = forms().enumerate().filter(|&(i, _)| i < 2 || i % 2 == at % 2 || depth != Depth::Full);
        let cases = tried.map(|(i, (order, rows, epilogue))| {
            let layout = layout_for(epilogue, at + at / 5 + i);
            let experts_per_shard = [routing.n_experts, routing.n_experts.div_ceil(3), 1][at % 3];
            let (n, k) = shapes[(at + i) % shapes.len()];
            let (k, n_distinct) = (whole_blocks(layout, k), usize::MAX);
            (Shape { layout, routing, order, n, k, experts_per_shard, n_distinct }, rows, epilogue)
        });
        (batch, cases.collect())
    };
    small_batches(depth).into_iter().enumerate().map(of_batch).collect()
}

/// Both projections of a mixture in a step of so many tokens.
fn released_step(
    layout: Layout,
    mixture: &Mixture,
    n_tokens: usize,
    max_tokens: usize,
) -> (Batch, Vec<Case>) {
    let shape = |order| Shape::released(layout, mixture, order);
    let cases = forms().take(2).map(|(order, rows, epilogue)| (shape(order), rows, epilogue));
    (released_batch(mixture, n_tokens, max_tokens), cases.collect())
}

/// Steps and what their tokens go through: every mixture in 4 bits, and the first in the other common layouts.
fn steps(depth: Depth) -> Vec<(Batch, Vec<Case>)> {
    match depth {
        Depth::Full | Depth::Slice => small_steps(depth),
        Depth::Quick => vec![released_step(Layout::Q4K, &MIXTURES[0], 5, 512)],
        Depth::Real => {
            let chunks = MIXTURES.iter().map(|mixture| released_step(Layout::Q4K, mixture, 512, 512));
            let others = [(Layout::Q4, 7, 16), (Layout::Q8, 100, 512), (Layout::BF16, 512, 512)].map(
                |(layout, n_tokens, max_tokens)| released_step(layout, &MIXTURES[0], n_tokens, max_tokens),
            );
            chunks.chain(others).collect()
        }
    }
}

/// Runs `gemm_experts` on a step; returns the worst error.
fn try_gemm(rig: &mut Rig, rng: &mut Rng, batch: Batch, (shape, rows, epilogue): Case) -> f64 {
    let Batch { grouping, n_tokens, n_used } = batch;
    let routing = grouping.routing;
    let routes = random_routes(rng, &routing, n_tokens, n_used);
    let groups = group(rig, grouping, n_tokens, &routes);
    let experts = Experts::new(rig, rng, shape);
    let k = experts.k;
    let n = experts.n_outputs(epilogue);
    let n_rows = grouping.max_tokens * routing.top_k;
    let (ids, _) = chosen(&routing, &routes);
    let x = rng.floats(if rows == ExpertRows::Spread { n_tokens } else { ids.len() } * k, 2.0);
    let stride = n + 3;
    let y = match epilogue {
        EpilogueKind::Add => rng.floats(ids.len() * n, 1.0),
        _ => vec![UNTOUCHED; ids.len() * n],
    };
    let mut y_before = spread(&y, n, stride);
    y_before.resize(n_rows * stride, UNTOUCHED);
    let factors = Factors::random(rng, experts.matrix.n_rows, n_tokens);
    let project = ExpertProject {
        matrix: experts.matrix.clone(),
        routing,
        rows,
        epilogue: experts.epilogue(rig, epilogue, &factors),
        x: rig.upload("x", &padded_rows(&x, k)),
        y: rig.upload("y", &y_before),
        y_stride: stride,
    };
    let launches = block_on(gemm_experts(&mut rig.kernels, &project, &groups)).unwrap();
    assert_eq!(launches.iter().map(|launch| launch.weight_bytes).sum::<u64>(), experts.matrix.bytes());
    rig.run(&launches, step_of(n_tokens));
    let found: Vec<f32> = rig.read(&project.y);
    let (wanted, scale) = experts.finish(epilogue, &ids, experts.sums(&ids, &x, None), &y, &factors);
    let (mut wanted, mut scale) = (spread(&wanted, n, stride), spread(&scale, n, stride));
    // rows of tokens that this step does not have
    wanted.resize(n_rows * stride, UNTOUCHED.into());
    scale.resize(n_rows * stride, 1.0);
    let what = format!(
        "{:?} {rows:?} {epilogue:?} {grouping:?}, {n_tokens} tokens, {n} outputs of {k}, {} shards",
        experts.matrix.layout,
        launches.len()
    );
    Report::new(&found, &wanted, |i| scale[i].abs()).expect(&what, TOLERANCE)
}

pub(in crate::checks) fn matrices(rig: &mut Rig, depth: Depth) -> Outcome {
    let mut rng = Rng::new(4);
    let mut outcome = Outcome::default();
    for (batch, cases) in steps(depth) {
        for case in cases {
            outcome.case(rig, |rig| try_gemm(rig, &mut rng, batch, case));
        }
    }
    outcome
}
