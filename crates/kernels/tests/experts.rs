//! The kernels of mixture-of-experts layers, under every mask, and what they refuse.

use std::rc::Rc;

use qwill_kernels::cpu;
use qwill_kernels::{
    Epilogue, ExpertProject, ExpertRows, FusedNorm, Grouping, Groups, Project, Routing, RowOrder, SlotWeight,
    TopKWeights, Tuning, gemm_experts, gemv, gemv_experts, group_tokens, route_experts,
};
use qwill_testkit::checks::{chosen, random_routes};
use qwill_testkit::{HostMatrix, Rig, Rng, Upload, block_on, under_every_mask};
use qwill_weights::Layout;

under_every_mask!(route_experts);
under_every_mask!(gemv_experts);
under_every_mask!(group_tokens);
under_every_mask!(gemm_experts);
under_every_mask!(combine_experts);
under_every_mask!(expert_layers);

/// However tokens are spread, their tiles are no more than `max_tiles` says; it is exact for one token and grows.
#[test]
fn the_most_tiles_are_enough() {
    let mut rng = Rng::new(6);
    for _ in 0..300 {
        let n_experts = 1 + rng.below(40);
        let top_k = 1 + rng.below(n_experts.min(8));
        let max_tokens = 1 + rng.below(200);
        let routing = Routing {
            n_experts,
            top_k,
            weights: TopKWeights::Renormalised,
            has_shared_expert: rng.below(2) == 1,
        };
        let grouping = Grouping::new(routing, max_tokens, &Tuning::default());
        let mut last = 0;
        for n_tokens in 0..=max_tokens {
            let most = grouping.max_tiles(n_tokens);
            assert!(most >= last, "{grouping:?} needs fewer tiles for {n_tokens} tokens than for fewer");
            last = most;
        }
        let n_used = top_k + rng.below(n_experts - top_k + 1);
        let n_tokens = 1 + rng.below(max_tokens);
        let (experts, _) = chosen(&routing, &random_routes(&mut rng, &routing, n_tokens, n_used));
        let (_, tiles) = cpu::group_tokens(&experts, grouping.tile_m as usize);
        assert!(tiles.len() <= grouping.max_tiles(n_tokens), "{grouping:?}: {} tiles", tiles.len());
        let (_, tiles) = cpu::group_tokens(&experts[..top_k], grouping.tile_m as usize);
        assert_eq!(tiles.len(), grouping.max_tiles(1), "a token's experts have a tile each");
    }
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

#[test]
fn projections_that_no_kernel_does_are_refused() {
    let rig = &mut Rig::open("");
    let rng = &mut Rng::new(7);
    let buffer = rig.empty("unused", 64);
    let routing =
        Routing { n_experts: 16, top_k: 4, weights: TopKWeights::Softmax, has_shared_expert: false };
    let norm = FusedNorm { gain: buffer.clone(), eps: 1e-6 };
    let groups = Groups {
        grouping: Grouping::new(Routing { top_k: 3, ..routing }, 2, &Tuning::default()),
        assignments: buffer.clone(),
        tiles: buffer.clone(),
    };
    // 16 experts of 6 rows
    let host = HostMatrix::random(rng, Layout::F32, 96, 32);
    let project = |rows_per_shard, order, y_stride, n_experts| ExpertProject {
        matrix: Rc::new(host.upload_shards(rig, order, rows_per_shard)),
        routing: Routing { n_experts, ..routing },
        rows: ExpertRows::Slots,
        epilogue: Epilogue::Store(None),
        x: buffer.clone(),
        y: buffer.clone(),
        y_stride,
    };
    let projects = [
        project(96, RowOrder::Plain, 6, 17),
        project(96, RowOrder::GateUp, 6, 16),
        project(8, RowOrder::Plain, 6, 16),
        project(96, RowOrder::Plain, 5, 16),
    ];
    let project = project(96, RowOrder::Plain, 6, 16);
    let wanted = [
        "96 rows in Plain order are not those of 17 experts; each must have the same number, a multiple of 1",
        "96 rows in GateUp order are not those of 16 experts; each must have the same number, a multiple of 32",
        "a shard has rows 0 to 8 where each expert has 6; shards must hold whole experts",
        "6 outputs of an expert do not fit rows of 5 elements",
    ];
    for (project, wanted) in projects.iter().zip(wanted) {
        let error = block_on(gemv_experts(&mut rig.kernels, project, None, &buffer)).err().unwrap();
        assert_eq!(error.to_string(), wanted);
        let error = block_on(gemm_experts(&mut rig.kernels, project, &groups)).err().unwrap();
        assert_eq!(error.to_string(), wanted);
    }
    let error = block_on(gemv_experts(&mut rig.kernels, &project, Some(&norm), &buffer)).err().unwrap();
    assert_eq!(error.to_string(), "a norm goes with the rows of tokens, not with those of slots");
    for (rows, epilogue, wanted) in [
        (ExpertRows::Slots, Epilogue::Relu(None), "projections by experts do not go with relu in Slots rows"),
        (
            ExpertRows::Slots,
            Epilogue::Store(Some(buffer.clone())),
            "projections by experts do not go with store and a bias in Slots rows",
        ),
        (
            ExpertRows::Gather,
            Epilogue::Store(None),
            "projections by experts do not go with store in Gather rows",
        ),
        (ExpertRows::Slots, Epilogue::SiluMul, "rows in Plain order do not go with silu_mul"),
    ] {
        let project = ExpertProject { rows, epilogue, ..project.clone() };
        let error = block_on(gemv_experts(&mut rig.kernels, &project, None, &buffer)).err().unwrap();
        assert_eq!(error.to_string(), wanted);
    }
    let gather = ExpertProject { rows: ExpertRows::Gather, epilogue: Epilogue::Add, ..project.clone() };
    let same = Groups { grouping: Grouping::new(routing, 2, &Tuning::default()), ..groups.clone() };
    let error = block_on(gemm_experts(&mut rig.kernels, &gather, &same)).err().unwrap();
    assert_eq!(
        error.to_string(),
        "steps of many tokens keep the rows of slots; combine_experts gathers them"
    );
    let error = block_on(gemm_experts(&mut rig.kernels, &project, &groups)).err().unwrap();
    assert!(error.to_string().starts_with("tokens grouped for Routing { n_experts: 16, top_k: 3"), "{error}");

    let mut refusal = |max_tokens| {
        let groups =
            Groups { grouping: Grouping::new(routing, max_tokens, &Tuning::default()), ..groups.clone() };
        block_on(group_tokens(&mut rig.kernels, &buffer, &buffer, &groups)).err().unwrap().to_string()
    };
    assert!(
        refusal(1_200_000).starts_with("steps of 1200000 tokens need up to 75015 tiles"),
        "{}",
        refusal(1_200_000)
    );

    let project = Project {
        matrix: project.matrix.clone(),
        x: buffer.clone(),
        y: buffer.clone(),
        y_stride: 96,
        first_output: 0,
        epilogue: Epilogue::AddScaled(SlotWeight { routes: buffer.clone(), slot: 2, n_slots: 2 }),
    };
    let error = block_on(gemv(&mut rig.kernels, &project, None)).err().unwrap();
    assert_eq!(error.to_string(), "no slot 2 among 2; the first is 0");
}
