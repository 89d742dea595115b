//! The experts of a whole layer, from the router's logits to the hidden states, as a decode step and as a prefill chain
//! the kernels; among the small ones an inner width that is no multiple of 16 or 32 goes through all of them.

use qwill_gpu::Buffer;
use qwill_kernels::{
    Epilogue, EpilogueKind, ExpertProject, ExpertRows, Grouping, Groups, Kernels, Launch, Routing, RowOrder,
    TopKWeights, align_row, combine_experts, cpu, gemm_experts, gemv_experts, group_tokens, route_experts,
};
use qwill_weights::Layout;

use super::MIXTURES;
use super::weights::{Experts, Shape};
use crate::checks::Outcome;
use crate::checks::released::Mixture;
use crate::checks::rows::{TOLERANCE, abs, cut_rows, step_of};
use crate::{Depth, Report, Rig, Rng, TestSpan, TestStep, block_on, padded_rows};

/// A mixture, in its layout, and the tokens of a step.
#[derive(Debug, Clone, Copy)]
struct Case {
    gate_up: Shape,
    down: Shape,
    n_tokens: usize,
}

fn cases(depth: Depth) -> Vec<Case> {
    let small = |n_tokens| {
        let routing =
            Routing { n_experts: 9, top_k: 3, weights: TopKWeights::Renormalised, has_shared_expert: true };
        let mixture = Mixture { routing, hidden_size: 72, intermediate_size: 40 };
        let shape = |layout, order, experts_per_shard| Shape {
            experts_per_shard,
            n_distinct: usize::MAX,
            ..Shape::released(layout, &mixture, order)
        };
        let gate_up = Shape { k: 72, ..shape(Layout::Q8, RowOrder::GateUp, 4) };
        Case { gate_up, down: shape(Layout::F16, RowOrder::Plain, 2), n_tokens }
    };
    let released = |mixture: &Mixture, layout, n_tokens| Case {
        gate_up: Shape::released(layout, mixture, RowOrder::GateUp),
        down: Shape::released(layout, mixture, RowOrder::Plain),
        n_tokens,
    };
    match depth {
        Depth::Full => [1, 7, 50].map(small).to_vec(),
        Depth::Slice => vec![small(7)],
        Depth::Quick => vec![released(&MIXTURES[0], Layout::Q4, 3)],
        Depth::Real => {
            let chunks = MIXTURES.iter().map(|mixture| released(mixture, Layout::Q4, 512));
            chunks.chain([released(&MIXTURES[0], Layout::Q8, 20)]).collect()
        }
    }
}

/// A layer with what goes into it.
struct Layer {
    n_tokens: usize,
    gate_up: Experts,
    down: Experts,
    /// `[n_tokens, n_logits]`
    logits: Vec<f32>,
    /// `[n_tokens, hidden_size]`, as gate and up read it.
    x: Vec<f32>,
    /// `[n_tokens, hidden_size]`, the residual stream.
    y: Vec<f32>,
}

impl Layer {
    fn random(rig: &Rig, rng: &mut Rng, case: &Case) -> Self {
        let (n_tokens, hidden_size) = (case.n_tokens, case.gate_up.k);
        Self {
            n_tokens,
            gate_up: Experts::new(rig, rng, case.gate_up),
            down: Experts::new(rig, rng, case.down),
            logits: rng.floats(n_tokens * case.gate_up.routing.n_logits(), 4.0),
            x: rng.floats(n_tokens * hidden_size, 2.0),
            y: rng.floats(n_tokens * hidden_size, 1.0),
        }
    }

    fn routing(&self) -> Routing {
        self.gate_up.routing
    }

    fn hidden_size(&self) -> usize {
        self.gate_up.k
    }

    /// Inner width.
    fn inner(&self) -> usize {
        self.down.k
    }

    /// What the twins make of it `[n_tokens, hidden_size]`, and the magnitudes of that.
    fn wanted(&self) -> (Vec<f64>, Vec<f64>) {
        let routing = self.routing();
        let (ids, weights): (Vec<u32>, Vec<f32>) = cpu::route_experts(&routing, &self.logits)
            .chunks_exact(routing.n_slots())
            .flat_map(|slots| &slots[..routing.top_k])
            .map(|&(expert, weight)| (expert, weight as f32))
            .unzip();
        let (sums, _) = self.gate_up.sums(&ids, &self.x, None);
        let inner_rows = cpu::finish(&sums, cpu::Finish::SiluMul);
        let inner_rows: Vec<f32> =
            cut_rows(&inner_rows, self.inner(), self.gate_up.n_outputs(EpilogueKind::SiluMul))
                .into_iter()
                .map(|value| value as f32)
                .collect();
        let (sums, magnitudes) = self.down.sums(&ids, &inner_rows, None);
        let n_cols = self.hidden_size();
        (
            cpu::combine_experts(&self.y, &sums, &weights, n_cols),
            cpu::combine_experts(&abs(&self.y), &magnitudes, &weights, n_cols),
        )
    }
}

/// How a step runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// The first token alone.
    Decode,
    /// All of them.
    Prefill,
}

/// The buffers between the kernels of a layer.
struct Buffers {
    logits: Buffer,
    routes: Buffer,
    step: Buffer,
    x: Buffer,
    inner: Buffer,
    out: Buffer,
    y: Buffer,
    groups: Groups,
}

impl Buffers {
    fn new(rig: &Rig, layer: &Layer) -> Self {
        let (routing, n_tokens) = (layer.routing(), layer.n_tokens);
        let (inner, hidden_size) = (align_row(layer.inner()), align_row(layer.hidden_size()));
        let grouping = Grouping::new(routing, n_tokens, rig.kernels.tuning());
        Self {
            logits: rig.upload("logits", &padded_rows(&layer.logits, routing.n_logits())),
            routes: rig.empty("routes", n_tokens * routing.n_slots() * 8),
            step: TestStep::of(vec![TestSpan::without_cache(n_tokens)]).upload(rig).0,
            x: rig.upload("x", &padded_rows(&layer.x, layer.hidden_size())),
            inner: rig.empty("inner", n_tokens * routing.top_k * inner * 4),
            out: rig.empty("out", n_tokens * routing.top_k * hidden_size * 4),
            y: rig.empty("y", n_tokens * hidden_size * 4),
            groups: Groups {
                grouping,
                assignments: rig.empty("assignments", grouping.assignments_bytes()),
                tiles: rig.empty("tiles", grouping.tiles_bytes()),
            },
        }
    }

    fn launches(&self, kernels: &mut Kernels, layer: &Layer, step: Step) -> Vec<Launch> {
        let Self { routes, groups, .. } = self;
        let routing = layer.routing();
        let (down_rows, down_epilogue, down_y) = match step {
            Step::Decode => (ExpertRows::Gather, Epilogue::Add, &self.y),
            Step::Prefill => (ExpertRows::Slots, Epilogue::Store(None), &self.out),
        };
        let up = ExpertProject {
            matrix: layer.gate_up.matrix.clone(),
            routing,
            rows: ExpertRows::Spread,
            epilogue: Epilogue::SiluMul,
            x: self.x.clone(),
            y: self.inner.clone(),
            y_stride: align_row(layer.inner()),
        };
        let down = ExpertProject {
            matrix: layer.down.matrix.clone(),
            routing,
            rows: down_rows,
            epilogue: down_epilogue,
            x: self.inner.clone(),
            y: down_y.clone(),
            y_stride: align_row(layer.hidden_size()),
        };
        let mut launches = vec![block_on(route_experts(kernels, &routing, &self.logits, routes)).unwrap()];
        match step {
            Step::Decode => {
                launches.extend(block_on(gemv_experts(kernels, &up, None, routes)).unwrap());
                launches.extend(block_on(gemv_experts(kernels, &down, None, routes)).unwrap());
            }
            Step::Prefill => {
                launches.push(block_on(group_tokens(kernels, &self.step, routes, groups)).unwrap());
                launches.extend(block_on(gemm_experts(kernels, &up, groups)).unwrap());
                launches.extend(block_on(gemm_experts(kernels, &down, groups)).unwrap());
                let n_cols = layer.hidden_size();
                let combined = combine_experts(kernels, &groups.grouping, routes, &self.out, n_cols, &self.y);
                launches.push(block_on(combined).unwrap());
            }
        }
        launches
    }
}

/// Runs a layer as a decode step and as a prefill; returns the worst error.
fn try_layer(rig: &mut Rig, rng: &mut Rng, case: &Case) -> f64 {
    let layer = Layer::random(rig, rng, case);
    let (wanted, scale) = layer.wanted();
    let buffers = Buffers::new(rig, &layer);
    let hidden_size = layer.hidden_size();
    let y_before = padded_rows(&layer.y, hidden_size);
    let mut worst: f64 = 0.0;
    for step in [Step::Decode, Step::Prefill] {
        let rows = if step == Step::Decode { 1 } else { layer.n_tokens };
        let what = format!("{step:?} of {rows} tokens, {case:?}");
        let launches = buffers.launches(&mut rig.kernels, &layer, step);
        // the same bits each time, whatever the atomics do
        let results = [(); 3].map(|()| {
            rig.write(&buffers.y, 0, &y_before);
            rig.run(&launches, step_of(rows));
            rig.read::<f32>(&buffers.y)
        });
        assert!(results.iter().all(|result| *result == results[0]), "not the same bits each time, {what}");
        let found = cut_rows(&results[0], hidden_size, align_row(hidden_size));
        let n = rows * hidden_size;
        // errors of the inner rows add to those of the sums
        let report = Report::new(&found[..n], &wanted[..n], |i| scale[i]);
        worst = worst.max(report.expect(&what, 4.0 * TOLERANCE));
    }
    worst
}

pub(in crate::checks) fn layers(rig: &mut Rig, depth: Depth) -> Outcome {
    let mut rng = Rng::new(8);
    let mut outcome = Outcome::default();
    for case in cases(depth) {
        outcome.case(rig, |rig| try_layer(rig, &mut rng, &case));
    }
    outcome
}
