use crate::{Routing, TopKWeights};

/// The experts of every token and their weights, from the router's logits.
///
/// 1. `p = softmax(logits)` over all experts;
/// 2. slot `s` has the expert with the `s`-th largest `p`, the lower index among equals;
/// 3. its weight is `p`, divided by the sum over the slots when the weights are renormalised;
/// 4. a shared expert has the last slot, its weight is the sigmoid of the last logit.
///
/// `logits` is `[n_tokens, routing.n_logits()]`; returns `[n_tokens, routing.n_slots()]` of (expert, weight).
pub fn route_experts(routing: &Routing, logits: &[f32]) -> Vec<(u32, f64)> {
    logits.chunks_exact(routing.n_logits()).flat_map(|logits| route_token(routing, logits)).collect()
}

fn route_token(routing: &Routing, logits: &[f32]) -> Vec<(u32, f64)> {
    let (logits, gate) = logits.split_at(routing.n_experts);
    let mut falling: Vec<u32> = (0..routing.n_experts as u32).collect();
    // a stable sort keeps the lower index first
    falling
        .sort_by(|&a, &b| logits[b as usize].partial_cmp(&logits[a as usize]).expect("logits are numbers"));
    let top = f64::from(logits[falling[0] as usize]);
    let mass = |&expert: &u32| (f64::from(logits[expert as usize]) - top).exp();
    let chosen = &falling[..routing.top_k];
    let total: f64 = match routing.weights {
        TopKWeights::Softmax => falling.iter().map(mass).sum(),
        TopKWeights::Renormalised => chosen.iter().map(mass).sum(),
    };
    let shared = gate.iter().map(|&gate| (routing.n_experts as u32, 1.0 / (1.0 + f64::from(-gate).exp())));
    chosen.iter().map(|expert| (*expert, mass(expert) / total)).chain(shared).collect()
}
