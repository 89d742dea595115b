//! Random routes.

use qwill_kernels::Routing;

use crate::Rng;

/// Random routes of `n_tokens` to the last `n_used` experts, different ones for a token; (expert, weight bits) and a
/// shared slot's behind.
pub fn random_routes(rng: &mut Rng, routing: &Routing, n_tokens: usize, n_used: usize) -> Vec<[u32; 2]> {
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
pub fn chosen(routing: &Routing, routes: &[[u32; 2]]) -> (Vec<u32>, Vec<f32>) {
    let slots = routes.chunks_exact(routing.n_slots()).flat_map(|routes| &routes[..routing.top_k]);
    slots.map(|&[expert, bits]| (expert, f32::from_bits(bits))).unzip()
}
