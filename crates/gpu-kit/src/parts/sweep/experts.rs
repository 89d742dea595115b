//! Projections of a chunk of a prompt by experts.

use std::rc::Rc;

use qwill_gpu::Buffer;
use qwill_kernels::{
    Epilogue, Error, ExpertProject, ExpertRows, Grouping, Groups, Launch, Routing, RowOrder, StepShape,
    TopKWeights, cpu, gemm_experts, group_tokens,
};
use qwill_testkit::{HostMatrix, Report, Rig, Rng, TestSpan, TestStep, Upload, block_on, padded_rows};
use qwill_weights::Layout;

use super::gemm::{abs, matrix};
use super::site::Site;
use crate::job::Size;

/// Assignments whose outputs are compared.
const COMPARED: usize = 4;

/// The gate and up projection of a mixture in a prefill step.
pub(super) struct Experts {
    place: &'static str,
    routing: Routing,
    n: usize,
    k: usize,
    n_tokens: usize,
    bound: Option<Bound>,
}

struct Bound {
    host: HostMatrix,
    x: Vec<f32>,
    /// The expert of each assignment.
    experts: Vec<u32>,
    step: Buffer,
    routes: Buffer,
    project: ExpertProject,
}

/// 30B-A3B and Qwen1.5-MoE-A2.7B.
pub(super) fn sites(size: Size) -> Vec<Experts> {
    let routing = |n_experts, top_k| Routing {
        n_experts,
        top_k,
        weights: TopKWeights::Renormalised,
        has_shared_expert: false,
    };
    let site = |place, routing, n, k| Experts { place, routing, n, k, n_tokens: 512, bound: None };
    match size {
        Size::Full => vec![
            site("30b-a3b gate_up", routing(128, 8), 1536, 2048),
            site("qwen1.5-moe-a2.7b gate_up", routing(60, 4), 2816, 2048),
        ],
        Size::Quick => vec![Experts { n_tokens: 40, ..site("small gate_up", routing(4, 2), 64, 64) }],
    }
}

impl Experts {
    fn upload(&self, rig: &Rig) -> Bound {
        let Routing { n_experts, top_k, .. } = self.routing;
        let mut rng = Rng::new(4);
        let host = matrix(&mut rng, Layout::Q4, n_experts * self.n, self.k);
        let x = rng.floats(self.n_tokens * self.k, 2.0);
        let experts: Vec<u32> =
            (0..self.n_tokens).flat_map(|_| rng.shuffled(n_experts)[..top_k].to_vec()).collect();
        let routes: Vec<[u32; 2]> = experts.iter().map(|&expert| [expert, 1f32.to_bits()]).collect();
        // a shard holds whole experts
        let in_binding = host.rows_in_binding(rig, u64::MAX);
        let in_shard = (in_binding / self.n).max(1) * self.n;
        let project = ExpertProject {
            matrix: Rc::new(host.upload_shards(rig, RowOrder::Plain, in_shard)),
            routing: self.routing,
            rows: ExpertRows::Spread,
            epilogue: Epilogue::Store(None),
            x: rig.upload("x", &padded_rows(&x, self.k)),
            y: rig.empty("y", self.n_tokens * top_k * self.n * 4),
            y_stride: self.n,
        };
        Bound {
            step: TestStep::of(vec![TestSpan::without_cache(self.n_tokens)]).upload(rig).0,
            routes: rig.upload("routes", &routes),
            host,
            x,
            experts,
            project,
        }
    }
}

impl Site<u32> for Experts {
    fn name(&self) -> String {
        let Routing { n_experts, top_k, .. } = self.routing;
        let Self { place, n, k, n_tokens, .. } = self;
        format!("{place} {n_tokens} tokens {top_k} of {n_experts} experts {n}x{k} Q4")
    }

    fn as_taken(&self, candidate: u32) -> u32 {
        candidate
    }

    fn bind(&mut self, rig: &mut Rig) -> Result<Vec<Launch>, Error> {
        let bound = self.bound.take().unwrap_or_else(|| self.upload(rig));
        let bound = self.bound.insert(bound);
        let grouping = Grouping::new(self.routing, self.n_tokens, rig.kernels.tuning());
        let groups = Groups {
            grouping,
            assignments: rig.empty("assignments", grouping.assignments_bytes()),
            tiles: rig.empty("tiles", grouping.tiles_bytes()),
        };
        let group = block_on(group_tokens(&mut rig.kernels, &bound.step, &bound.routes, &groups))?;
        let mut launches = vec![group];
        launches.extend(block_on(gemm_experts(&mut rig.kernels, &bound.project, &groups))?);
        Ok(launches)
    }

    fn step(&self) -> StepShape {
        StepShape::of_one(self.n_tokens as u32, self.n_tokens as u32, 0, 16)
    }

    fn cost(&self) -> (f64, f64) {
        let bytes = self.bound.as_ref().map_or(0, |bound| bound.project.matrix.bytes());
        (bytes as f64, (2 * self.n_tokens * self.routing.top_k * self.n * self.k) as f64)
    }

    fn worst_error(&self, rig: &Rig) -> f64 {
        let Some(Bound { host, x, experts, project, .. }) = &self.bound else { return f64::NAN };
        let found: Vec<f32> = rig.read(&project.y);
        let last = experts.len() - 1;
        let errors = (0..COMPARED).chain([last]).map(|assignment| {
            let x = &x[assignment / self.routing.top_k * self.k..][..self.k];
            let first_row = experts[assignment] as usize * self.n;
            let twin = |values: &[f32], x: &[f32]| {
                let of_distinct = cpu::gemm(values, x, self.k);
                (0..self.n).map(|i| of_distinct[(first_row + i) % of_distinct.len()]).collect::<Vec<f64>>()
            };
            let (wanted, scale) = (twin(&host.values, x), twin(&abs(&host.values), &abs(x)));
            Report::new(&found[assignment * self.n..][..self.n], &wanted, |i| scale[i]).worst
        });
        errors.fold(0.0, f64::max)
    }
}
