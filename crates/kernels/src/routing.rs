//! Which experts a token goes to.

use bytemuck::NoUninit;
use minijinja::context;
use qwill_gpu::{Binding, Buffer, Caps, Grid, KernelSource};

use crate::shapes::{Reduction, RowShape};
use crate::{Cost, Error, Kernels, Launch, Templates, align_row};

/// Most experts that a token can choose from.
pub(crate) const MAX_EXPERTS: usize = 512;
/// Most experts that a token can choose.
const MAX_TOP_K: usize = 16;

/// What the weights of the chosen experts are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TopKWeights {
    /// Their probabilities among all experts (`norm_topk_prob` off).
    Softmax,
    /// Their probabilities among the chosen, so that they sum to 1 (`norm_topk_prob` on).
    Renormalised,
}

/// How tokens choose experts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Routing {
    /// Experts to choose from, at most 512.
    pub n_experts: usize,
    /// Experts that a token goes to, at most 16.
    pub top_k: usize,
    /// Their weights.
    pub weights: TopKWeights,
    /// Whether an expert that every token goes to has a slot behind the chosen ones, with the index `n_experts` and the
    /// sigmoid of its gate as weight.
    pub has_shared_expert: bool,
}

impl Routing {
    /// Slots in the routes of a token.
    pub fn n_slots(&self) -> usize {
        self.top_k + usize::from(self.has_shared_expert)
    }

    /// Columns of the router's logits, without padding: the experts, then the shared expert's gate.
    pub fn n_logits(&self) -> usize {
        self.n_experts + usize::from(self.has_shared_expert)
    }

    /// Words for it.
    pub(crate) fn detail(&self) -> String {
        format!("{} of {}", self.top_k, self.n_experts)
    }

    /// Refuses what no kernel does.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if !(1..=MAX_EXPERTS).contains(&self.n_experts) {
            return Err(Error::Shape(format!(
                "{} experts; there must be between 1 and {MAX_EXPERTS}",
                self.n_experts
            )));
        }
        let most = MAX_TOP_K.min(self.n_experts);
        if !(1..=most).contains(&self.top_k) {
            return Err(Error::Shape(format!(
                "{} of {} experts for a token; there must be between 1 and {most}",
                self.top_k, self.n_experts
            )));
        }
        Ok(())
    }
}

#[repr(C)]
#[derive(Clone, Copy, NoUninit)]
struct Params {
    n_experts: u32,
    top_k: u32,
    n_slots: u32,
    stride: u32,
}

pub(crate) fn source(
    templates: &Templates,
    caps: &Caps,
    shape: RowShape,
    weights: TopKWeights,
) -> KernelSource {
    let RowShape { reduction, workgroup: wg } = shape;
    let subgroups = reduction == Reduction::Subgroup;
    KernelSource {
        name: format!("route_experts wg{wg} subgroups={subgroups} {weights:?}"),
        wgsl: templates.render(
            "moe/route_experts.wgsl",
            context! {
                wg,
                subgroups,
                enable_subgroups => subgroups && caps.is_web,
                renormalise => weights == TopKWeights::Renormalised,
                max_experts => MAX_EXPERTS,
                max_top_k => MAX_TOP_K,
            },
        ),
        bindings: vec![Binding::Params(size_of::<Params>()), Binding::Read, Binding::ReadWrite],
        constants: vec![],
    }
}

/// Binds a variant.
pub(crate) async fn bind(
    kernels: &mut Kernels,
    routing: &Routing,
    logits: &Buffer,
    routes: &Buffer,
    source: &KernelSource,
) -> Result<Launch, Error> {
    let params = Params {
        n_experts: routing.n_experts as u32,
        top_k: routing.top_k as u32,
        n_slots: routing.n_slots() as u32,
        stride: align_row(routing.n_logits()) as u32,
    };
    let grid = |shape: &crate::StepShape| Grid([shape.n_tokens, 1, 1]);
    let launch = kernels.launch("route_experts", source, Some(&params), &[logits, routes], grid).await?;
    let token = Cost::floats(routing.n_logits() + 2 * routing.n_slots(), 4 * routing.n_logits());
    Ok(launch.costing(routing.detail(), move |step| token * step.n_tokens))
}
