//! The kernels of mixture-of-experts layers against their CPU twins and the vector T-06 of the specification.
//!
//! Errors are relative to the magnitude of what is summed. Worst seen on llvmpipe: route_experts 1.4e-7, gemv_experts
//! 7.8e-8, gemm_experts 1.4e-7, combine_experts 1.9e-7; experts, tiles and assignments are exact.

use std::rc::Rc;

use qwill_kernels::cpu::{self, Finish, Tile};
use qwill_kernels::{
    DeviceMatrix, Epilogue, ExpertProject, ExpertRows, FusedNorm, Grouping, Groups, Project, Routing,
    RowOrder, SlotWeight, StepShape, StepState, TopKWeights, Tuning, align_row, combine_experts,
    gemm_experts, gemv, gemv_experts, group_tokens, route_experts,
};
use qwill_testkit::{
    Depth, HostMatrix, Report, Rig, Rng, block_on, padded_rows, under_every_mask, whole_blocks,
};
use qwill_weights::Layout;

const TOLERANCE: f64 = 2e-6;
const EPS: f32 = 1e-6;
/// Fills what a kernel must leave alone.
const UNTOUCHED: f32 = -7.5;

under_every_mask!(routes);
under_every_mask!(vectors);
under_every_mask!(groups);
under_every_mask!(matrices);
under_every_mask!(sums);
under_every_mask!(layers);

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

/// Experts with random weights.
struct Experts {
    routing: Routing,
    rows_per_expert: usize,
    k: usize,
    host: HostMatrix,
    matrix: Rc<DeviceMatrix>,
}

impl Experts {
    /// `n` outputs each, before the padding of gate and up.
    fn new(
        rig: &Rig,
        rng: &mut Rng,
        layout: Layout,
        routing: Routing,
        order: RowOrder,
        (n, k): (usize, usize),
        experts_per_shard: usize,
    ) -> Self {
        let rows = match order {
            RowOrder::GateUp => cpu::interleave_gate_up(n),
            RowOrder::Plain => (0..n).map(|output| Some((0, output))).collect(),
        };
        let rows_per_expert = rows.len();
        let mut host = HostMatrix::random(rng, layout, routing.n_experts * rows_per_expert, k);
        for row in (0..host.n_rows).filter(|row| rows[row % rows_per_expert].is_none()) {
            host.clear_row(row);
        }
        let matrix = Rc::new(host.upload_shards(rig, order, experts_per_shard * rows_per_expert));
        Self { routing, rows_per_expert, k, host, matrix }
    }

    /// Outputs of an expert with padding.
    fn n_outputs(&self, epilogue: Epilogue) -> usize {
        match epilogue {
            Epilogue::SiluMul => self.rows_per_expert / 2,
            _ => self.rows_per_expert,
        }
    }

    /// What an epilogue makes of the sums of `experts`, in `y` as it was before; and how far that moves when the sums move
    /// by their magnitudes.
    fn finish(
        &self,
        epilogue: Epilogue,
        experts: &[u32],
        (sums, magnitudes): (Vec<f64>, Vec<f64>),
        y: &[f32],
        factors: &[f32],
    ) -> (Vec<f64>, Vec<f64>) {
        match epilogue {
            Epilogue::SiluMul => silu_mul(&sums, &magnitudes),
            Epilogue::Add => {
                let scale = magnitudes.iter().zip(y).map(|(m, y)| m + f64::from(y.abs())).collect();
                (cpu::finish(&sums, Finish::Add(y)), scale)
            }
            Epilogue::StoreScaled => {
                let rows = self.rows_per_expert;
                let factors: Vec<f32> = experts
                    .iter()
                    .flat_map(|&expert| &factors[expert as usize * rows..][..rows])
                    .copied()
                    .collect();
                let scale = magnitudes.iter().zip(&factors).map(|(m, f)| m * f64::from(f.abs())).collect();
                (cpu::finish(&sums, Finish::StoreScaled(&factors)), scale)
            }
            _ => (sums, magnitudes),
        }
    }

    /// Sums of rows of `x` with an expert each, and their magnitudes.
    fn sums(&self, experts: &[u32], x: &[f32], gain: Option<&[f32]>) -> (Vec<f64>, Vec<f64>) {
        let abs = |values: &[f32]| values.iter().map(|value| value.abs()).collect::<Vec<_>>();
        let magnitudes_gain = gain.map(abs);
        let norm = |gain| (gain, f64::from(EPS));
        let (rows, k) = (self.rows_per_expert, self.k);
        (
            cpu::gemv_experts(&self.host.values, rows, experts, x, k, gain.map(norm)),
            cpu::gemv_experts(
                &abs(&self.host.values),
                rows,
                experts,
                &abs(x),
                k,
                magnitudes_gain.as_deref().map(norm),
            ),
        )
    }
}

/// `silu(gate) * up` of sums, and how far it moves when the sums move by their magnitudes.
fn silu_mul(sums: &[f64], magnitudes: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let scale = (0..sums.len() / 2).map(|i| {
        let (gate, up) = (i / 16 * 32 + i % 16, i / 16 * 32 + i % 16 + 16);
        // 1.1 bounds the slope of silu
        1.1 * magnitudes[gate] * sums[up].abs() + sums[gate].abs() * magnitudes[up]
    });
    (cpu::finish(sums, Finish::SiluMul), scale.collect())
}

/// Rows of `width` numbers with `UNTOUCHED` up to `stride`.
fn spread<T: Copy + From<f32>>(rows: &[T], width: usize, stride: usize) -> Vec<T> {
    let pad = vec![T::from(UNTOUCHED); stride - width];
    rows.chunks_exact(width).flat_map(|row| row.iter().chain(&pad)).copied().collect()
}

/// Random routes of `n_tokens` to the last `n_used` experts, different ones for a token; (expert, weight bits) and a
/// shared slot's behind.
fn random_routes(rng: &mut Rng, routing: &Routing, n_tokens: usize, n_used: usize) -> Vec<[u32; 2]> {
    let mut routes = Vec::new();
    for _ in 0..n_tokens {
        let experts = rng.shuffled(n_used);
        let last = routing.n_experts as u32 - 1;
        routes.extend(
            experts[..routing.top_k].iter().map(|&e| last - e).map(|e| [e, rng.between(0.0, 1.0).to_bits()]),
        );
        if routing.has_shared_expert {
            routes.push([routing.n_experts as u32, f32::to_bits(0.5)]);
        }
    }
    routes
}

/// Experts and weights of the chosen slots of `routes`.
fn chosen(routing: &Routing, routes: &[[u32; 2]]) -> (Vec<u32>, Vec<f32>) {
    let slots = routes.chunks_exact(routing.n_slots()).flat_map(|routes| &routes[..routing.top_k]);
    slots.map(|&[expert, bits]| (expert, f32::from_bits(bits))).unzip()
}

/// Order of the matrix, rows and epilogue of everything that a layer with an adapter does.
const FORMS: [(RowOrder, ExpertRows, Epilogue); 6] = [
    (RowOrder::GateUp, ExpertRows::Spread, Epilogue::SiluMul),
    (RowOrder::Plain, ExpertRows::Gather, Epilogue::Add),
    (RowOrder::GateUp, ExpertRows::Spread, Epilogue::Store),
    (RowOrder::Plain, ExpertRows::Spread, Epilogue::StoreScaled),
    (RowOrder::Plain, ExpertRows::Slots, Epilogue::StoreScaled),
    (RowOrder::Plain, ExpertRows::Slots, Epilogue::Add),
];

/// Runs `gemv_experts`; returns the worst error.
fn try_gemv(
    rig: &mut Rig,
    rng: &mut Rng,
    experts: &Experts,
    rows: ExpertRows,
    epilogue: Epilogue,
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
        Epilogue::Add => rng.floats(y_rows * n, 1.0),
        _ => vec![UNTOUCHED; y_rows * n],
    };
    let factors = rng.floats(experts.matrix.n_rows, 2.0);
    let project = ExpertProject {
        matrix: experts.matrix.clone(),
        routing,
        rows,
        epilogue,
        scale: (epilogue == Epilogue::StoreScaled).then(|| rig.upload("factors", &factors)),
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
    rig.run(&launches, shape(1));
    let (sums, magnitudes) = experts.sums(&ids, &x, gain);
    let (wanted, scale) = if rows == ExpertRows::Gather {
        let y_magnitudes: Vec<f32> = y.iter().map(|y| y.abs()).collect();
        (
            cpu::combine_experts(&y, &sums, &weights, n),
            cpu::combine_experts(&y_magnitudes, &magnitudes, &weights, n),
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

/// Some shapes of routing: (experts, chosen ones, has a shared expert, experts in a shard).
const ROUTINGS: [(usize, usize, bool, usize); 6] = [
    (16, 4, false, 5),
    (60, 8, true, 60),
    (1, 1, false, 1),
    (7, 2, true, 1),
    (128, 8, false, 50),
    (5, 5, true, 2),
];

fn routing((n_experts, top_k, has_shared_expert, _): (usize, usize, bool, usize)) -> Routing {
    Routing { n_experts, top_k, weights: TopKWeights::Softmax, has_shared_expert }
}

fn vectors(rig: &mut Rig, depth: Depth) {
    let mut rng = Rng::new(2);
    let mut worst: f64 = 0.0;
    // (outputs, columns); the last for the workgroup of 128
    let shapes = [(37, 40), (16, 130), (5, 24), (3, 2080)];
    let tried = if depth == Depth::Full { 2 } else { 1 };
    for (at, layout) in Layout::ALL.into_iter().enumerate() {
        for i in 0..tried {
            let case = ROUTINGS[(at + i) % ROUTINGS.len()];
            let (n, k) = shapes[(at + i) % if case.0 < 60 { 4 } else { 3 }];
            let size = (n, whole_blocks(layout, k));
            // the first two in every layout, the others in turn
            let others =
                FORMS[2..].iter().skip((at + i) % 2).step_by(if depth == Depth::Full { 2 } else { 1 });
            for &(order, rows, epilogue) in FORMS[..2].iter().chain(others) {
                let experts = Experts::new(rig, &mut rng, layout, routing(case), order, size, case.3);
                worst = worst.max(try_gemv(rig, &mut rng, &experts, rows, epilogue, None));
                if rows == ExpertRows::Spread {
                    let gain = rng.floats(size.1, 2.0);
                    worst = worst.max(try_gemv(rig, &mut rng, &experts, rows, epilogue, Some(&gain)));
                }
            }
        }
    }
    record("gemv_experts", rig, worst);
}

/// Shapes of routing with the tokens of a step, the tokens it may have, and the experts that get any.
fn groupings(tuning: &Tuning, depth: Depth) -> Vec<(Grouping, usize, usize)> {
    let mut cases = Vec::new();
    for (at, case) in ROUTINGS.into_iter().enumerate() {
        let routing = routing(case);
        let (few, all) = (routing.top_k, routing.n_experts);
        // tiles of 16 and of 64; whole, short and single ones; all tokens to the same experts
        for (n_tokens, max_tokens, n_used) in
            [(1, 1, all), (17, 40, few), (130, 130, all), (33, 300, all.div_ceil(2).max(few)), (64, 600, few)]
        {
            cases.push((at + n_tokens, (Grouping::new(routing, max_tokens, tuning), n_tokens, n_used)));
        }
    }
    cases.retain(|(i, _)| depth == Depth::Full || i % 5 == 0);
    cases.into_iter().map(|(_, case)| case).collect()
}

/// Runs `group_tokens`, over what another step left.
fn group(rig: &mut Rig, grouping: Grouping, n_tokens: usize, routes: &[[u32; 2]]) -> Groups {
    let stale = |bytes: usize| vec![3u32; bytes / 4];
    let groups = Groups {
        grouping,
        assignments: rig.upload("assignments", &stale(grouping.assignments_bytes())),
        tiles: rig.upload("tiles", &stale(grouping.tiles_bytes())),
    };
    let state = rig.state(StepState { n_tokens: n_tokens as u32, ..Default::default() });
    let routes = rig.upload("routes", routes);
    let launch = block_on(group_tokens(&mut rig.kernels, &state, &routes, &groups)).unwrap();
    rig.run([&launch], shape(n_tokens));
    groups
}

fn groups(rig: &mut Rig, depth: Depth) {
    let mut rng = Rng::new(3);
    let mut tile_sizes = Vec::new();
    for (grouping, n_tokens, n_used) in groupings(rig.kernels.tuning(), depth) {
        let what = format!("{grouping:?}, {n_tokens} tokens to {n_used} experts");
        let routes = random_routes(&mut rng, &grouping.routing, n_tokens, n_used);
        let groups = group(rig, grouping, n_tokens, &routes);
        let (experts, _) = chosen(&grouping.routing, &routes);
        let (wanted, wanted_tiles) = cpu::group_tokens(&experts, grouping.tile_m as usize);
        assert!(wanted_tiles.len() <= grouping.max_tiles(n_tokens), "{what}: {} tiles", wanted_tiles.len());

        let found: Vec<[u32; 3]> = rig.read(&groups.tiles);
        let (used, unused) = found.split_at(wanted_tiles.len());
        let used: Vec<Tile> =
            used.iter().map(|&[expert, first, count]| Tile { expert, first, count }).collect();
        assert_eq!(used, wanted_tiles, "{what}");
        assert!(unused.iter().all(|tile| tile[2] == 0), "{what}: {unused:?}");

        let found: Vec<u32> = rig.read(&groups.assignments);
        let (mut found, beyond) = (found[..wanted.len()].to_vec(), &found[wanted.len()..]);
        // by expert already; inside an expert any order will do
        found
            .chunk_by_mut(|&a, &b| experts[a as usize] == experts[b as usize])
            .for_each(<[u32]>::sort_unstable);
        assert_eq!(found, wanted, "{what}");
        assert!(beyond.iter().all(|&stale| stale == 3), "{what}: {beyond:?}");
        tile_sizes.push(grouping.tile_m);
    }
    assert!(tile_sizes.contains(&16) && tile_sizes.contains(&64), "{tile_sizes:?}");
}

/// Runs `gemm_experts` on a step; returns the worst error.
fn try_gemm(
    rig: &mut Rig,
    rng: &mut Rng,
    experts: &Experts,
    (rows, epilogue): (ExpertRows, Epilogue),
    groups: &Groups,
    routes: &[[u32; 2]],
) -> f64 {
    let Experts { routing, k, .. } = *experts;
    let n = experts.n_outputs(epilogue);
    let n_tokens = routes.len() / routing.n_slots();
    let n_rows = groups.grouping.max_tokens * routing.top_k;
    let (ids, _) = chosen(&routing, routes);
    let x = rng.floats(if rows == ExpertRows::Spread { n_tokens } else { ids.len() } * k, 2.0);
    let stride = n + 3;
    let y = match epilogue {
        Epilogue::Add => rng.floats(ids.len() * n, 1.0),
        _ => vec![UNTOUCHED; ids.len() * n],
    };
    let mut y_before = spread(&y, n, stride);
    y_before.resize(n_rows * stride, UNTOUCHED);
    let factors = rng.floats(experts.matrix.n_rows, 2.0);
    let project = ExpertProject {
        matrix: experts.matrix.clone(),
        routing,
        rows,
        epilogue,
        scale: (epilogue == Epilogue::StoreScaled).then(|| rig.upload("factors", &factors)),
        x: rig.upload("x", &padded_rows(&x, k)),
        y: rig.upload("y", &y_before),
        y_stride: stride,
    };
    let launches = block_on(gemm_experts(&mut rig.kernels, &project, groups)).unwrap();
    assert_eq!(launches.iter().map(|launch| launch.weight_bytes).sum::<u64>(), experts.matrix.bytes());
    rig.run(&launches, shape(n_tokens));
    let found: Vec<f32> = rig.read(&project.y);
    let (wanted, scale) = experts.finish(epilogue, &ids, experts.sums(&ids, &x, None), &y, &factors);
    let (mut wanted, mut scale) = (spread(&wanted, n, stride), spread(&scale, n, stride));
    // rows of tokens that this step does not have
    wanted.resize(n_rows * stride, UNTOUCHED.into());
    scale.resize(n_rows * stride, 1.0);
    let what = format!(
        "{:?} {rows:?} {epilogue:?} {:?}, {n_tokens} tokens, {n} outputs of {k}, {} shards",
        experts.matrix.layout,
        groups.grouping,
        launches.len()
    );
    Report::new(&found, &wanted, |i| scale[i].abs()).expect(&what, TOLERANCE)
}

fn matrices(rig: &mut Rig, depth: Depth) {
    let mut rng = Rng::new(4);
    let mut worst: f64 = 0.0;
    // (outputs, columns)
    let shapes = [(37, 40), (70, 24), (16, 130)];
    for (at, (grouping, n_tokens, n_used)) in groupings(rig.kernels.tuning(), depth).into_iter().enumerate() {
        let routing = grouping.routing;
        let routes = random_routes(&mut rng, &routing, n_tokens, n_used);
        let groups = group(rig, grouping, n_tokens, &routes);
        let forms = FORMS.iter().map(|&(order, rows, epilogue)| match rows {
            ExpertRows::Gather => (order, ExpertRows::Slots, Epilogue::Store),
            _ => (order, rows, epilogue),
        });
        for (i, (order, rows, epilogue)) in forms.enumerate() {
            // the first two for every grouping, the others in turn
            if i >= 2 && i % 2 != at % 2 && depth == Depth::Full {
                continue;
            }
            let layout = Layout::ALL[(at + at / 5 + i) % Layout::ALL.len()];
            let experts_per_shard = [routing.n_experts, routing.n_experts.div_ceil(3), 1][at % 3];
            let (n, k) = shapes[(at + i) % shapes.len()];
            let size = (n, whole_blocks(layout, k));
            let experts = Experts::new(rig, &mut rng, layout, routing, order, size, experts_per_shard);
            worst = worst.max(try_gemm(rig, &mut rng, &experts, (rows, epilogue), &groups, &routes));
        }
    }
    record("gemm_experts", rig, worst);
}

fn sums(rig: &mut Rig, depth: Depth) {
    let mut rng = Rng::new(5);
    let mut worst: f64 = 0.0;
    for (at, (grouping, n_tokens, n_used)) in groupings(rig.kernels.tuning(), depth).into_iter().enumerate() {
        let routing = grouping.routing;
        // the last has more columns than a workgroup
        let k = [40, 24, 130, 300][at % 4];
        let routes = random_routes(&mut rng, &routing, n_tokens, n_used);
        let x = rng.floats(n_tokens * routing.top_k * k, 2.0);
        let y = rng.floats(n_tokens * k, 1.0);
        let x_buffer = rig.upload("x", &padded_rows(&x, k));
        let y_buffer = rig.upload("y", &padded_rows(&y, k));
        let (_, weights) = chosen(&routing, &routes);
        let routes = rig.upload("routes", &routes);
        let launch =
            block_on(combine_experts(&mut rig.kernels, &grouping, &routes, &x_buffer, k, &y_buffer)).unwrap();
        rig.run([&launch], shape(n_tokens));
        let found: Vec<f32> = rig.read(&y_buffer);
        let found: Vec<f32> = found.chunks_exact(align_row(k)).flat_map(|row| &row[..k]).copied().collect();
        let abs = |values: &[f32]| values.iter().map(|value| value.abs()).collect::<Vec<_>>();
        let wanted = cpu::combine_experts(&y, &x, &weights, k);
        let scale = cpu::combine_experts(&abs(&y), &abs(&x), &weights, k);
        let report = Report::new(&found, &wanted, |i| scale[i]);
        worst = worst.max(report.expect(&format!("{grouping:?}, {n_tokens} tokens of {k}"), TOLERANCE));
    }
    record("combine_experts", rig, worst);
}

/// The experts of a whole layer, from the router's logits to the hidden states, as a decode step and as a prefill chain
/// the kernels; an inner width that is no multiple of 16 or 32 goes through all of them.
fn layers(rig: &mut Rig, depth: Depth) {
    let mut rng = Rng::new(8);
    let (hidden, inner) = (72, 40);
    let routing =
        Routing { n_experts: 9, top_k: 3, weights: TopKWeights::Renormalised, has_shared_expert: true };
    for n_tokens in if depth == Depth::Full { vec![1, 7, 50] } else { vec![7] } {
        let order = RowOrder::GateUp;
        let gate_up = Experts::new(rig, &mut rng, Layout::Q8, routing, order, (inner, hidden), 4);
        let down = Experts::new(rig, &mut rng, Layout::F16, routing, RowOrder::Plain, (hidden, inner), 2);
        let logits = rng.floats(n_tokens * routing.n_logits(), 4.0);
        let x = rng.floats(n_tokens * hidden, 2.0);
        let y = rng.floats(n_tokens * hidden, 1.0);

        let (ids, weights): (Vec<u32>, Vec<f32>) = cpu::route_experts(&routing, &logits)
            .chunks_exact(routing.n_slots())
            .flat_map(|slots| &slots[..routing.top_k])
            .map(|&(expert, weight)| (expert, weight as f32))
            .unzip();
        let (sums, magnitudes) = gate_up.sums(&ids, &x, None);
        let inner_rows: Vec<f32> = silu_mul(&sums, &magnitudes)
            .0
            .chunks_exact(gate_up.n_outputs(Epilogue::SiluMul))
            .flat_map(|row| row[..inner].iter().map(|&value| value as f32))
            .collect();
        let (sums, magnitudes) = down.sums(&ids, &inner_rows, None);
        let wanted = cpu::combine_experts(&y, &sums, &weights, hidden);
        let y_magnitudes: Vec<f32> = y.iter().map(|y| y.abs()).collect();
        let scale = cpu::combine_experts(&y_magnitudes, &magnitudes, &weights, hidden);

        let logits = rig.upload("logits", &padded_rows(&logits, routing.n_logits()));
        let routes = rig.empty("routes", n_tokens * routing.n_slots() * 8);
        let state = rig.state(StepState { n_tokens: n_tokens as u32, ..Default::default() });
        let x = rig.upload("x", &padded_rows(&x, hidden));
        let between = rig.empty("inner", n_tokens * routing.top_k * align_row(inner) * 4);
        let out = rig.empty("out", n_tokens * routing.top_k * align_row(hidden) * 4);
        let grouping = Grouping::new(routing, n_tokens, rig.kernels.tuning());
        let groups = Groups {
            grouping,
            assignments: rig.empty("assignments", grouping.assignments_bytes()),
            tiles: rig.empty("tiles", grouping.tiles_bytes()),
        };
        for is_decode in [true, false] {
            let rows = if is_decode { 1 } else { n_tokens };
            let y_bytes: Vec<u8> = padded_rows(&y, hidden).iter().flat_map(|y| y.to_le_bytes()).collect();
            let y = rig.empty("y", y_bytes.len());
            let up = ExpertProject {
                matrix: gate_up.matrix.clone(),
                routing,
                rows: ExpertRows::Spread,
                epilogue: Epilogue::SiluMul,
                scale: None,
                x: x.clone(),
                y: between.clone(),
                y_stride: align_row(inner),
            };
            let down = ExpertProject {
                matrix: down.matrix.clone(),
                routing,
                rows: if is_decode { ExpertRows::Gather } else { ExpertRows::Slots },
                epilogue: if is_decode { Epilogue::Add } else { Epilogue::Store },
                scale: None,
                x: between.clone(),
                y: if is_decode { y.clone() } else { out.clone() },
                y_stride: align_row(hidden),
            };
            let kernels = &mut rig.kernels;
            let mut launches = vec![block_on(route_experts(kernels, &routing, &logits, &routes)).unwrap()];
            if is_decode {
                launches.extend(block_on(gemv_experts(kernels, &up, None, &routes)).unwrap());
                launches.extend(block_on(gemv_experts(kernels, &down, None, &routes)).unwrap());
            } else {
                launches.push(block_on(group_tokens(kernels, &state, &routes, &groups)).unwrap());
                launches.extend(block_on(gemm_experts(kernels, &up, &groups)).unwrap());
                launches.extend(block_on(gemm_experts(kernels, &down, &groups)).unwrap());
                let combined = combine_experts(kernels, &grouping, &routes, &out, hidden, &y);
                launches.push(block_on(combined).unwrap());
            }
            // the same bits each time, whatever the atomics do
            let mut results = Vec::new();
            for _ in 0..3 {
                rig.gpu().write(&y, 0, &y_bytes);
                rig.run(&launches, shape(rows));
                results.push(rig.read::<f32>(&y));
            }
            assert!(results.iter().all(|result| *result == results[0]), "{rows} tokens");
            let found: Vec<f32> =
                results[0].chunks_exact(align_row(hidden)).flat_map(|row| &row[..hidden]).copied().collect();
            let n = rows * hidden;
            let what = format!("{rows} tokens, decode {is_decode}");
            // errors of the inner rows add to those of the sums
            Report::new(&found[..n], &wanted[..n], |i| scale[i]).expect(&what, 4.0 * TOLERANCE);
        }
    }
}

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
    let routing = routing(ROUTINGS[0]);
    let norm = FusedNorm { gain: buffer.clone(), eps: EPS };
    let groups = Groups {
        grouping: Grouping::new(Routing { top_k: 3, ..routing }, 2, rig.kernels.tuning()),
        assignments: buffer.clone(),
        tiles: buffer.clone(),
    };
    // 16 experts of 6 rows
    let host = HostMatrix::random(rng, Layout::F32, 96, 32);
    let project = |rows_per_shard, order, y_stride, n_experts| ExpertProject {
        matrix: Rc::new(host.upload_shards(rig, order, rows_per_shard)),
        routing: Routing { n_experts, ..routing },
        rows: ExpertRows::Slots,
        epilogue: Epilogue::Store,
        scale: None,
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
    for (rows, epilogue, has_scale, wanted) in [
        (
            ExpertRows::Slots,
            Epilogue::Relu,
            false,
            "projections by experts do not go with relu in Slots rows",
        ),
        (
            ExpertRows::Gather,
            Epilogue::Store,
            false,
            "projections by experts do not go with store in Gather rows",
        ),
        (ExpertRows::Slots, Epilogue::SiluMul, false, "rows in Plain order do not go with silu_mul"),
        (
            ExpertRows::Slots,
            Epilogue::StoreScaled,
            false,
            "the epilogue store_scaled needs the factors of the outputs",
        ),
        (
            ExpertRows::Slots,
            Epilogue::Store,
            true,
            "factors of the outputs go with the epilogue store_scaled, not with store",
        ),
    ] {
        let scale = has_scale.then(|| buffer.clone());
        let project = ExpertProject { rows, epilogue, scale, ..project.clone() };
        let error = block_on(gemv_experts(&mut rig.kernels, &project, None, &buffer)).err().unwrap();
        assert_eq!(error.to_string(), wanted);
    }
    let gather = ExpertProject { rows: ExpertRows::Gather, epilogue: Epilogue::Add, ..project.clone() };
    let same = Groups { grouping: Grouping::new(routing, 2, rig.kernels.tuning()), ..groups.clone() };
    let error = block_on(gemm_experts(&mut rig.kernels, &gather, &same)).err().unwrap();
    assert_eq!(
        error.to_string(),
        "steps of many tokens keep the rows of slots; combine_experts gathers them"
    );
    let error = block_on(gemm_experts(&mut rig.kernels, &project, &groups)).err().unwrap();
    assert!(error.to_string().starts_with("tokens grouped for Routing { n_experts: 16, top_k: 3"), "{error}");

    let mut refusal = |max_tokens| {
        let groups =
            Groups { grouping: Grouping::new(routing, max_tokens, rig.kernels.tuning()), ..groups.clone() };
        block_on(group_tokens(&mut rig.kernels, &buffer, &buffer, &groups)).err().unwrap().to_string()
    };
    assert!(
        refusal(1_200_000).starts_with("steps of 1200000 tokens need up to 75015 tiles"),
        "{}",
        refusal(1_200_000)
    );

    let refusal = |rig: &mut Rig, epilogue, has_bias: bool, slot: Option<usize>| {
        let project = Project {
            matrix: project.matrix.clone(),
            x: buffer.clone(),
            y: buffer.clone(),
            y_stride: 96,
            first_output: 0,
            bias: has_bias.then(|| buffer.clone()),
            epilogue,
            slot_weight: slot.map(|slot| SlotWeight { routes: buffer.clone(), slot, n_slots: 2 }),
            scale: None,
        };
        block_on(gemv(&mut rig.kernels, &project, None)).err().unwrap().to_string()
    };
    for (epilogue, has_bias, slot, wanted) in [
        (Epilogue::Add, true, None, "a bias goes with the epilogues store and relu, not with add"),
        (Epilogue::AddScaled, false, None, "the epilogue add_scaled needs the weights of the rows"),
        (Epilogue::AddScaled, false, Some(2), "no slot 2 among 2; the first is 0"),
        (Epilogue::Relu, true, Some(0), "weights of rows go with the epilogue add_scaled, not with relu"),
    ] {
        assert_eq!(refusal(rig, epilogue, has_bias, slot), wanted);
    }
}
