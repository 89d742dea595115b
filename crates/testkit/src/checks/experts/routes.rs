//! `route_experts`.

use qwill_kernels::{Routing, TopKWeights, align_row, cpu, route_experts};

use super::{LARGE_MIXTURE, MIXTURES};
use crate::checks::Outcome;
use crate::checks::rows::{TOLERANCE, step_of};
use crate::{Depth, Report, Rig, Rng, block_on, padded_rows};

/// Runs `route_experts` on logits `[n_tokens, n_logits]`; (expert, weight) of every token and slot.
fn route(rig: &mut Rig, routing: &Routing, logits: &[f32]) -> Vec<(u32, f32)> {
    let n_tokens = logits.len() / routing.n_logits();
    // what pads the rows is larger than any logit and must not be chosen
    let mut padded = padded_rows(logits, routing.n_logits());
    for row in padded.chunks_exact_mut(align_row(routing.n_logits())) {
        row[routing.n_logits()..].fill(1e3);
    }
    let logits = rig.upload("logits", &padded);
    let routes = rig.empty("routes", n_tokens * routing.n_slots() * 8);
    let launch = block_on(route_experts(&mut rig.kernels, routing, &logits, &routes)).unwrap();
    rig.run([&launch], step_of(n_tokens));
    rig.read::<[u32; 2]>(&routes).into_iter().map(|[expert, bits]| (expert, f32::from_bits(bits))).collect()
}

/// The vector T-06 of the specification.
fn try_reference(rig: &mut Rig, weights: TopKWeights) -> f64 {
    let wanted = match weights {
        TopKWeights::Softmax => [0.6439143, 0.2368828],
        TopKWeights::Renormalised => [0.7310586, 0.2689414],
    };
    let routing = Routing { n_experts: 4, top_k: 2, weights, has_shared_expert: false };
    let found = route(rig, &routing, &[2.0, 1.0, 0.0, -1.0]);
    assert_eq!([found[0].0, found[1].0], [0, 1]);
    Report::new(&[found[0].1, found[1].1], &wanted, |i| wanted[i]).expect("T-06", TOLERANCE)
}

/// Logits that are no numbers choose some experts, but never one that is not there or one twice.
fn try_nan(rig: &mut Rig) -> f64 {
    let routing = Routing { n_experts: 5, top_k: 3, weights: TopKWeights::Softmax, has_shared_expert: false };
    let mut experts: Vec<u32> = route(rig, &routing, &[f32::NAN, 1.0, -f32::NAN, f32::NAN, 2.0])
        .into_iter()
        .map(|route| route.0)
        .collect();
    experts.sort_unstable();
    experts.dedup();
    assert!(experts.len() == 3 && experts[2] < 5, "{experts:?}");
    0.0
}

/// (routing, tokens, distinct logits, size of the logits); few distinct ones make ties.
type Case = (Routing, usize, usize, f32);

fn small_cases(depth: Depth) -> Vec<Case> {
    let mut cases = vec![(60, 4, 3, 1000, 4.0), (128, 8, 2, 7, 3.0), (1, 1, 2, 1000, 50.0)];
    if depth == Depth::Full {
        cases.extend([
            (7, 7, 130, 3, 1.0),
            (512, 16, 5, 1000, 20.0),
            (512, 10, 3, 1, 0.0),
            (16, 1, 33, 2, 90.0),
            (129, 3, 1, 50, 1000.0),
        ]);
    }
    let every_kind = |(n_experts, top_k, n_tokens, distinct, size)| {
        [TopKWeights::Softmax, TopKWeights::Renormalised].into_iter().flat_map(move |weights| {
            [false, true].map(|has_shared_expert| {
                (Routing { n_experts, top_k, weights, has_shared_expert }, n_tokens, distinct, size)
            })
        })
    };
    cases.into_iter().flat_map(every_kind).collect()
}

fn cases(depth: Depth) -> Vec<Case> {
    match depth {
        Depth::Full | Depth::Slice => small_cases(depth),
        Depth::Quick => vec![(MIXTURES[0].routing, 33, 1000, 4.0)],
        Depth::Real => MIXTURES
            .iter()
            .chain([&LARGE_MIXTURE])
            .flat_map(|mixture| [(mixture.routing, 1, 1000, 4.0), (mixture.routing, 512, 1000, 8.0)])
            .collect(),
    }
}

fn try_routing(rig: &mut Rig, rng: &mut Rng, (routing, n_tokens, distinct, size): Case) -> f64 {
    // from -size to size, negative zeros among them
    let logits: Vec<f32> = (0..n_tokens * routing.n_logits())
        .map(|_| {
            let logit = size * (rng.below(distinct) as f32 / distinct as f32 * 2.0 - 1.0);
            if logit == 0.0 && rng.below(2) == 0 { -logit } else { logit }
        })
        .collect();
    let found = route(rig, &routing, &logits);
    let wanted = cpu::route_experts(&routing, &logits);
    let what = format!("{routing:?} of {n_tokens} tokens");
    for (at, (found, wanted)) in found.iter().zip(&wanted).enumerate() {
        let (token, slot) = (at / routing.n_slots(), at % routing.n_slots());
        assert_eq!(found.0, wanted.0, "the expert of token {token} in slot {slot}, {what}");
    }
    let found: Vec<f32> = found.iter().map(|route| route.1).collect();
    let wanted: Vec<f64> = wanted.iter().map(|route| route.1).collect();
    // the difference of two logits is as exact as they are
    let report = Report::new(&found, &wanted, |i| wanted[i] * (1.0 + f64::from(size)) + 1e-30);
    report.expect(&what, TOLERANCE)
}

pub(in crate::checks) fn routes(rig: &mut Rig, depth: Depth) -> Outcome {
    let mut rng = Rng::new(1);
    let mut outcome = Outcome::default();
    for weights in [TopKWeights::Softmax, TopKWeights::Renormalised] {
        outcome.case(rig, |rig| try_reference(rig, weights));
    }
    for case in cases(depth) {
        outcome.case(rig, |rig| try_routing(rig, &mut rng, case));
    }
    outcome.case(rig, try_nan);
    outcome
}
