// Chooses the experts of every token.
//
//   p = softmax(logits[m, 0 .. n_experts]);  slot s: the expert with the s-th largest p, the lower index among equals
//   weight[s] = p[s], or renormalised p[s] / sum of p over the slots;  shared expert: sigmoid(logits[m, n_experts])
//
// An expert's rank is the number of experts before it, counted on the ordered bits of the logits: the order is whole,
// so every slot gets exactly one expert, whatever the logits are. The softmax has the same order.
// Grid: x = token, one workgroup each.
// Bindings: logits [n_tokens, stride] f32; routes [n_tokens, n_slots] of (expert, weight bits), a shared expert's slot
// last.
// Needs: nothing; subgroups shorten the sum.
//% if enable_subgroups
enable subgroups;
//% endif
struct Params {
    n_experts: u32,
    top_k: u32,
    // top_k, or one more with a shared expert
    n_slots: u32,
    // f32 columns in a row of logits
    stride: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> logits: array<f32>;
@group(0) @binding(2) var<storage, read_write> routes: array<vec2<u32>>;
//% include "shared/ordered.wgsl"
//% if not renormalise
//% include "shared/reduce.wgsl"
//% endif

var<workgroup> keys: array<u32, ${ max_experts }>;
var<workgroup> chosen: array<u32, ${ max_top_k }>;

@compute @workgroup_size(${ wg })
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
//% if subgroups
    @builtin(subgroup_invocation_id) lane_in_subgroup: u32,
    @builtin(subgroup_size) width: u32,
//% endif
) {
//% if not subgroups
    let lane_in_subgroup = 0u;
    let width = 1u;
//% endif
    let first = group.x * params.stride;
    for (var e = lane; e < params.n_experts; e += ${ wg }u) {
        let bits = bitcast<u32>(logits[first + e]);
        // both zeros are equal
        keys[e] = ordered(select(bits, 0u, bits == 0x80000000u));
    }
    workgroupBarrier();
    for (var e = lane; e < params.n_experts; e += ${ wg }u) {
        let key = keys[e];
        var rank = 0u;
        for (var other = 0u; other < params.n_experts; other++) {
            rank += select(0u, 1u, keys[other] > key || (keys[other] == key && other < e));
        }
        if (rank < params.top_k) {
            chosen[rank] = e;
        }
    }
    workgroupBarrier();
    let top = logits[first + chosen[0]];
    var total = 0.0;
//% if renormalise
    for (var slot = 0u; slot < params.top_k; slot++) {
        total += exp(logits[first + chosen[slot]] - top);
    }
//% else
    for (var e = lane; e < params.n_experts; e += ${ wg }u) {
        total += exp(logits[first + e] - top);
    }
    total = reduce_sum(total, lane, lane_in_subgroup, width);
//% endif
    if (lane < params.top_k) {
        let weight = exp(logits[first + chosen[lane]] - top) / total;
        routes[group.x * params.n_slots + lane] = vec2(chosen[lane], bitcast<u32>(weight));
    } else if (lane < params.n_slots) {
        let gate = logits[first + params.n_experts];
        let e = exp(-abs(gate));
        let weight = select(e, 1.0, gate >= 0.0) / (1.0 + e);
        routes[group.x * params.n_slots + lane] = vec2(params.n_experts, bitcast<u32>(weight));
    }
}
