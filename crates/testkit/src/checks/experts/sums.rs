//! `combine_experts`: what the experts of each token make of it.

use qwill_kernels::{align_row, combine_experts, cpu};

use super::{Batch, LARGE_MIXTURE, MIXTURES, batches, chosen, random_routes};
use crate::checks::Outcome;
use crate::checks::rows::{TOLERANCE, abs, cut_rows, step_of};
use crate::{Depth, Report, Rig, Rng, block_on, padded_rows};

/// A step and the width of its rows.
fn cases(depth: Depth) -> Vec<(Batch, usize)> {
    // the last of the small ones has more columns than a workgroup
    let width = |at: usize, batch: &Batch| match depth {
        Depth::Full | Depth::Slice => [40, 24, 130, 300][at % 4],
        Depth::Real | Depth::Quick => {
            MIXTURES
                .iter()
                .find(|mixture| mixture.routing == batch.grouping.routing)
                .unwrap_or(&LARGE_MIXTURE)
                .hidden_size
        }
    };
    batches(depth).into_iter().enumerate().map(|(at, batch)| (batch, width(at, &batch))).collect()
}

fn try_batch(rig: &mut Rig, rng: &mut Rng, (batch, k): (Batch, usize)) -> f64 {
    let Batch { grouping, n_tokens, n_used } = batch;
    let routing = grouping.routing;
    let routes = random_routes(rng, &routing, n_tokens, n_used);
    let x = rng.floats(n_tokens * routing.top_k * k, 2.0);
    let y = rng.floats(n_tokens * k, 1.0);
    let x_buffer = rig.upload("x", &padded_rows(&x, k));
    let y_buffer = rig.upload("y", &padded_rows(&y, k));
    let (_, weights) = chosen(&routing, &routes);
    let routes = rig.upload("routes", &routes);
    let launch =
        block_on(combine_experts(&mut rig.kernels, &grouping, &routes, &x_buffer, k, &y_buffer)).unwrap();
    rig.run([&launch], step_of(n_tokens));
    let found = cut_rows(&rig.read::<f32>(&y_buffer), k, align_row(k));
    let wanted = cpu::combine_experts(&y, &x, &weights, k);
    let scale = cpu::combine_experts(&abs(&y), &abs(&x), &weights, k);
    let report = Report::new(&found, &wanted, |i| scale[i]);
    report.expect(&format!("{grouping:?}, {n_tokens} tokens of {k}"), TOLERANCE)
}

pub(in crate::checks) fn sums(rig: &mut Rig, depth: Depth) -> Outcome {
    let mut rng = Rng::new(5);
    let mut outcome = Outcome::default();
    for case in cases(depth) {
        outcome.case(rig, |rig| try_batch(rig, &mut rng, case));
    }
    outcome
}
