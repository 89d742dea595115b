//! Bound launches of mixtures of experts.

use qwill_kernels::{
    Epilogue, ExpertProject, Project, SlotWeight, align_row, combine_experts, gemm_experts, gemv_experts,
    group_tokens, route_experts,
};
use qwill_models::{Expert, Mixture};

use super::Engine;
use super::buffers::MixtureActivations;
use super::prepare::side_by_side;
use super::sizes::routing;
use crate::Error;
use crate::loader::Loader;

impl Engine {
    /// Uploads a mixture's weights and binds its launches.
    ///
    /// A step of one token normalises in each projection of the residual stream, so that all of them must come before
    /// the first that adds to it.
    pub(super) async fn prepare_mixture(
        &mut self,
        loader: &mut Loader<'_>,
        mixture: &Mixture,
    ) -> Result<(), Error> {
        let routing = routing(mixture);
        let (hidden, normed) = (self.activations.hidden.clone(), self.activations.normed.clone());
        let (shared_inner, hidden_size) = (self.activations.inner.clone(), self.plan.dims.hidden_size);
        let MixtureActivations { router_logits, routes, inner, out, few, many } =
            self.activations.mixture.clone().expect("a plan with a mixture has its activations");

        let norm = loader.norm(&mixture.norm).await?;
        self.push_norm(&norm).await?;
        let router = side_by_side(loader.weight(&mixture.router).await?, |matrix, first_output| Project {
            matrix,
            x: hidden.clone(),
            y: router_logits.clone(),
            y_stride: align_row(routing.n_logits()),
            first_output,
            bias: None,
            epilogue: Epilogue::Store,
            slot_weight: None,
        });
        self.push_projects(&router, Some(&norm)).await?;
        for launches in [&mut self.one, &mut self.few, &mut self.many] {
            launches.layers.push(route_experts(&mut self.kernels, &routing, &router_logits, &routes).await?);
        }

        let mut shared_down = Vec::new();
        if let Some(shared) = &mixture.shared {
            let y_stride = align_row(shared.intermediate_size);
            let gate_up = loader.weight(&shared.expert.gate_up).await?;
            let gate_up = side_by_side(gate_up, |matrix, first_output| Project {
                matrix,
                x: hidden.clone(),
                y: shared_inner.clone(),
                y_stride,
                first_output,
                bias: None,
                epilogue: Epilogue::SiluMul,
                slot_weight: None,
            });
            self.push_projects(&gate_up, Some(&norm)).await?;
            let down = loader.weight(&shared.expert.down).await?;
            shared_down = side_by_side(down, |matrix, first_output| Project {
                matrix,
                x: shared_inner.clone(),
                y: hidden.clone(),
                y_stride: align_row(hidden_size),
                first_output,
                bias: None,
                epilogue: Epilogue::AddScaled,
                slot_weight: Some(SlotWeight {
                    routes: routes.clone(),
                    slot: routing.top_k,
                    n_slots: routing.n_slots(),
                }),
            });
        }

        let matrices = |part: fn(&Expert) -> &_| mixture.experts.iter().map(part).collect::<Vec<_>>();
        let gate_up = ExpertProject {
            matrix: loader.experts(&matrices(|expert| &expert.gate_up)).await?,
            routing,
            x: hidden.clone(),
            y: inner.clone(),
            y_stride: align_row(mixture.intermediate_size),
        };
        let down = ExpertProject {
            matrix: loader.experts(&matrices(|expert| &expert.down)).await?,
            routing,
            x: inner,
            y: hidden.clone(),
            y_stride: align_row(hidden_size),
        };
        let kernels = &mut self.kernels;
        self.one.layers.extend(gemv_experts(kernels, &gate_up, Some(&norm), &routes).await?);
        self.one.layers.extend(gemv_experts(kernels, &down, None, &routes).await?);
        let gate_up = ExpertProject { x: normed, ..gate_up };
        let down = ExpertProject { y: out.clone(), ..down };
        for (launches, groups) in [(&mut self.few, &few), (&mut self.many, &many)] {
            let layers = &mut launches.layers;
            layers.push(group_tokens(kernels, &self.steering.state, &routes, groups).await?);
            layers.extend(gemm_experts(kernels, &gate_up, groups).await?);
            layers.extend(gemm_experts(kernels, &down, groups).await?);
            layers
                .push(combine_experts(kernels, &groups.grouping, &routes, &out, hidden_size, &hidden).await?);
        }
        self.push_projects(&shared_down, None).await
    }
}
