//! Launches of mixtures of experts.

use qwill_kernels::{
    Epilogue, ExpertProject, ExpertRows, Project, SlotWeight, align_row, combine_experts, group_tokens,
    route_experts,
};
use qwill_models::{Expert, Mixture, Weight};

use super::{Linker, side_by_side};
use crate::Error;
use crate::engine::bind::bind_experts;
use crate::engine::groupings::routing;
use crate::engine::stage::{ExpertWork, Target, Work};

impl Linker<'_> {
    /// Binds a mixture's launches.
    ///
    /// A step of one token normalises in each projection of the residual stream, so that all of them must come before
    /// the first that adds to it.
    pub(super) async fn mix(&mut self, mixture: &Mixture) -> Result<(), Error> {
        let weights = self.shared.weights;
        let routing = routing(mixture);
        let hidden_size = self.program.plan.dims.hidden_size;
        let hidden = self.register(mixture.stream);
        let router_logits = self.register(mixture.router_logits);
        let (inner, outputs) = (self.register(mixture.inner), self.register(mixture.outputs));
        let routes =
            self.program.routes.as_ref().expect("a plan with a mixture has its routes").of_tokens.clone();

        let norm = self.pre_norm(&mixture.norm)?;
        self.push_norm(&hidden, hidden_size, &norm).await?;
        let router = side_by_side(weights.matrices(&mixture.router)?, |matrix, first_output| Project {
            matrix,
            x: hidden.clone(),
            y: router_logits.clone(),
            y_stride: align_row(routing.n_logits()),
            first_output,
            epilogue: Epilogue::Store(None),
        });
        self.push_projects(&mixture.router, router, Some(norm.clone())).await?;
        for launches in self.program.layers.launches.all_mut() {
            launches.push(route_experts(self.kernels, &routing, &router_logits, &routes).await?);
        }

        let mut shared_down = None;
        if let Some(shared) = &mixture.shared {
            let y_stride = align_row(shared.intermediate_size);
            let shared_inner = self.register(shared.inner);
            let gate_up = weights.matrices(&shared.expert.gate_up)?;
            let gate_up = side_by_side(gate_up, |matrix, first_output| Project {
                matrix,
                x: hidden.clone(),
                y: shared_inner.clone(),
                y_stride,
                first_output,
                epilogue: Epilogue::SiluMul,
            });
            self.push_projects(&shared.expert.gate_up, gate_up, Some(norm.clone())).await?;
            let down = weights.matrices(&shared.expert.down)?;
            let down = side_by_side(down, |matrix, first_output| Project {
                matrix,
                x: shared_inner.clone(),
                y: hidden.clone(),
                y_stride: align_row(hidden_size),
                first_output,
                epilogue: Epilogue::AddScaled(SlotWeight {
                    routes: routes.clone(),
                    slot: routing.top_k,
                    n_slots: routing.n_slots(),
                }),
            });
            shared_down = Some((&shared.expert.down, down));
        }

        let of_all = |part: fn(&Expert) -> &Weight| mixture.experts.iter().map(part).collect::<Vec<_>>();
        let (gate_up_weights, down_weights) =
            (of_all(|expert| &expert.gate_up), of_all(|expert| &expert.down));
        let gate_up = ExpertProject {
            matrix: weights.experts(&gate_up_weights)?,
            routing,
            rows: ExpertRows::Spread,
            epilogue: Epilogue::SiluMul,
            x: hidden.clone(),
            y: inner.clone(),
            y_stride: align_row(mixture.intermediate_size),
        };
        let down = ExpertProject {
            matrix: weights.experts(&down_weights)?,
            routing,
            rows: ExpertRows::Gather,
            epilogue: Epilogue::Add,
            x: inner,
            y: hidden.clone(),
            y_stride: align_row(hidden_size),
        };
        let gate_up = ExpertWork {
            many: ExpertProject { x: norm.rows.clone(), ..gate_up.clone() },
            one: gate_up,
            norm: Some(norm.fused),
        };
        let slots = ExpertProject {
            rows: ExpertRows::Slots,
            epilogue: Epilogue::Store(None),
            y: outputs.clone(),
            ..down.clone()
        };
        let down = ExpertWork { one: down, many: slots, norm: None };

        let Linker { kernels, shared, program } = self;
        let groups = program.routes.as_ref().expect("a plan with a mixture has its routes");
        let of_many = [&groups.few, &groups.many];
        for (launches, groups) in program.layers.launches.of_many().into_iter().zip(of_many) {
            launches.push(group_tokens(kernels, &shared.steering.step, &routes, groups).await?);
        }
        for (work, experts) in [(gate_up, gate_up_weights), (down, down_weights)] {
            let bound = bind_experts(kernels, &work, groups).await?;
            let weights = experts.into_iter().cloned().collect();
            program.layers.push_site(bound, Target { weights, work: Work::Experts(Box::new(work)) });
        }
        for (launches, groups) in program.layers.launches.of_many().into_iter().zip(of_many) {
            let grouping = &groups.grouping;
            launches.push(combine_experts(kernels, grouping, &routes, &outputs, hidden_size, &hidden).await?);
        }
        match shared_down {
            Some((weight, projects)) => self.push_projects(weight, projects, None).await,
            None => Ok(()),
        }
    }
}
