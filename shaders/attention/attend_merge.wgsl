// Attention of one new token, second pass: merges the splits of attend_decode.
//
//   M = max_i m[i];  o = sum_i exp(m[i] - M) * o[i] / sum_i exp(m[i] - M) * l[i]
//
// Grid: x = query head; one invocation a vec4 of the head.
// Bindings: state; partial [n_heads, max_splits, head_dim]; stats [n_heads, max_splits] = (m, l); y [n_heads, head_dim].
// Needs: nothing.
//% include "shared/state.wgsl"

const D4: u32 = ${ head_dim // 4 }u;
const SPLIT: u32 = ${ split }u;

struct Params {
    max_splits: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> state: State;
@group(0) @binding(2) var<storage, read> partial_in: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> stats: array<vec2<f32>>;
@group(0) @binding(4) var<storage, read_write> y: array<vec4<f32>>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    if (lane >= D4) {
        return;
    }
    let first = group.x * params.max_splits;
    let n_splits = (state.position + SPLIT) / SPLIT;
    var top = stats[first].x;
    for (var i = 1u; i < n_splits; i++) {
        top = max(top, stats[first + i].x);
    }
    var sum = vec4(0.0);
    var mass = 0.0;
    for (var i = 0u; i < n_splits; i++) {
        let weight = exp(stats[first + i].x - top);
        mass += weight * stats[first + i].y;
        sum += weight * partial_in[(first + i) * D4 + lane];
    }
    y[group.x * D4 + lane] = sum / mass;
}
