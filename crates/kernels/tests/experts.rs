//! The kernels of mixture-of-experts layers against their CPU twins and the vector T-06 of the specification.

use qwill_kernels::{Routing, StepShape, TopKWeights, align_row, cpu, route_experts};
use qwill_testkit::{Depth, Report, Rig, Rng, block_on, padded_rows, under_every_mask};

const TOLERANCE: f64 = 2e-6;

under_every_mask!(routes);

fn shape(n_tokens: usize) -> StepShape {
    StepShape { n_tokens: n_tokens as u32, n_kv: n_tokens as u32, n_outputs: 1 }
}

/// Prints the worst error of a suite, for those who run it with `--nocapture`.
fn record(suite: &str, rig: &Rig, worst: f64) {
    println!("{suite}: worst error {worst:.2e} ({})", rig.caps());
}

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
    rig.run([&launch], shape(n_tokens));
    rig.read::<[u32; 2]>(&routes).into_iter().map(|[expert, bits]| (expert, f32::from_bits(bits))).collect()
}

fn routes(rig: &mut Rig, depth: Depth) {
    let mut rng = Rng::new(1);
    let mut worst: f64 = 0.0;

    // T-06
    for (weights, wanted) in
        [(TopKWeights::Softmax, [0.6439143, 0.2368828]), (TopKWeights::Renormalised, [0.7310586, 0.2689414])]
    {
        let routing = Routing { n_experts: 4, top_k: 2, weights, has_shared_expert: false };
        let found = route(rig, &routing, &[2.0, 1.0, 0.0, -1.0]);
        assert_eq!([found[0].0, found[1].0], [0, 1]);
        Report::new(&[found[0].1, found[1].1], &wanted, |i| wanted[i]).expect("T-06", TOLERANCE);
    }

    // (experts, top_k, tokens, distinct logits, size of the logits); few distinct ones make ties
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
    for (n_experts, top_k, n_tokens, distinct, size) in cases {
        for weights in [TopKWeights::Softmax, TopKWeights::Renormalised] {
            for has_shared_expert in [false, true] {
                let routing = Routing { n_experts, top_k, weights, has_shared_expert };
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
                let experts = |routes: &[(u32, f32)]| routes.iter().map(|route| route.0).collect::<Vec<_>>();
                assert_eq!(experts(&found), wanted.iter().map(|route| route.0).collect::<Vec<_>>(), "{what}");
                let found: Vec<f32> = found.iter().map(|route| route.1).collect();
                let wanted: Vec<f64> = wanted.iter().map(|route| route.1).collect();
                // the difference of two logits is as exact as they are
                let report = Report::new(&found, &wanted, |i| wanted[i] * (1.0 + f64::from(size)) + 1e-30);
                worst = worst.max(report.expect(&what, TOLERANCE));
            }
        }
    }

    // logits that are no numbers choose some experts, but never one that is not there or one twice
    let routing = Routing { n_experts: 5, top_k: 3, weights: TopKWeights::Softmax, has_shared_expert: false };
    let mut experts: Vec<u32> = route(rig, &routing, &[f32::NAN, 1.0, -f32::NAN, f32::NAN, 2.0])
        .into_iter()
        .map(|route| route.0)
        .collect();
    experts.sort_unstable();
    experts.dedup();
    assert!(experts.len() == 3 && experts[2] < 5, "{experts:?}");
    record("route_experts", rig, worst);
}

#[test]
fn routings_that_no_kernel_does_are_refused() {
    let rig = &mut Rig::open("");
    let buffer = rig.empty("unused", 64);
    let mut refusal = |n_experts, top_k| {
        let routing = Routing { n_experts, top_k, weights: TopKWeights::Softmax, has_shared_expert: false };
        block_on(route_experts(&mut rig.kernels, &routing, &buffer, &buffer)).err().unwrap().to_string()
    };
    assert_eq!(refusal(0, 1), "0 experts; there must be between 1 and 512");
    assert_eq!(refusal(513, 8), "513 experts; there must be between 1 and 512");
    assert_eq!(refusal(128, 17), "17 of 128 experts for a token; there must be between 1 and 16");
    assert_eq!(refusal(4, 5), "5 of 4 experts for a token; there must be between 1 and 4");
    assert_eq!(refusal(4, 0), "0 of 4 experts for a token; there must be between 1 and 4");
}
