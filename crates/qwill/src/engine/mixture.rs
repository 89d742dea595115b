//! Bound launches of mixtures of experts.

use qwill_kernels::{
    Epilogue, ExpertProject, ExpertRows, Launch, Project, SlotWeight, align_row, combine_experts,
    gemm_experts, gemv_experts, group_tokens, route_experts,
};
use qwill_models::{Expert, Mixture, Weight};

use super::Engine;
use super::buffers::MixtureActivations;
use super::prepare::side_by_side;
use super::sizes::routing;
use super::stage::{BySize, ExpertWork, Target, Work};
use crate::Error;
use crate::loader::Weights;

impl Engine {
    /// Binds a mixture's launches.
    ///
    /// A step of one token normalises in each projection of the residual stream, so that all of them must come before
    /// the first that adds to it.
    pub(super) async fn prepare_mixture(
        &mut self,
        weights: &Weights<'_>,
        mixture: &Mixture,
    ) -> Result<(), Error> {
        let routing = routing(mixture);
        let (hidden, normed) = (self.activations.hidden.clone(), self.activations.normed.clone());
        let (shared_inner, hidden_size) = (self.activations.inner.clone(), self.plan.dims.hidden_size);
        let MixtureActivations { router_logits, routes, inner, out, few, many } =
            self.activations.mixture.clone().expect("a plan with a mixture has its activations");

        let norm = weights.norm(&mixture.norm)?;
        self.push_norm(&norm).await?;
        let router = side_by_side(weights.matrices(&mixture.router)?, |matrix, first_output| Project {
            matrix,
            x: hidden.clone(),
            y: router_logits.clone(),
            y_stride: align_row(routing.n_logits()),
            first_output,
            epilogue: Epilogue::Store(None),
        });
        self.push_projects(&mixture.router, router, Some(norm.clone())).await?;
        for launches in self.layers.launches.all_mut() {
            launches.push(route_experts(&mut self.kernels, &routing, &router_logits, &routes).await?);
        }

        let mut shared_down = None;
        if let Some(shared) = &mixture.shared {
            let y_stride = align_row(shared.intermediate_size);
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
            many: ExpertProject { x: normed, ..gate_up.clone() },
            one: gate_up,
            norm: Some(norm),
        };
        let slots = ExpertProject {
            rows: ExpertRows::Slots,
            epilogue: Epilogue::Store(None),
            y: out.clone(),
            ..down.clone()
        };
        let down = ExpertWork { one: down, many: slots, norm: None };

        for (launches, groups) in self.layers.launches.of_many().into_iter().zip([&few, &many]) {
            launches.push(group_tokens(&mut self.kernels, &self.steering.step, &routes, groups).await?);
        }
        for (work, experts) in [(gate_up, gate_up_weights), (down, down_weights)] {
            let bound = self.bind_experts(&work).await?;
            let weights = experts.into_iter().cloned().collect();
            self.layers.push_site(bound, Target { weights, work: Work::Experts(Box::new(work)) });
        }
        for (launches, groups) in self.layers.launches.of_many().into_iter().zip([&few, &many]) {
            let grouping = &groups.grouping;
            launches.push(
                combine_experts(&mut self.kernels, grouping, &routes, &out, hidden_size, &hidden).await?,
            );
        }
        match shared_down {
            Some((weight, projects)) => self.push_projects(weight, projects, None).await,
            None => Ok(()),
        }
    }

    /// Binds a projection by experts for steps of every size.
    pub(super) async fn bind_experts(&mut self, work: &ExpertWork) -> Result<BySize<Vec<Launch>>, Error> {
        let MixtureActivations { routes, few, many, .. } =
            self.activations.mixture.as_ref().expect("a plan with a mixture has its activations");
        let kernels = &mut self.kernels;
        Ok(BySize {
            one: gemv_experts(kernels, &work.one, work.norm.as_ref(), routes).await?,
            few: gemm_experts(kernels, &work.many, few).await?,
            many: gemm_experts(kernels, &work.many, many).await?,
        })
    }
}
