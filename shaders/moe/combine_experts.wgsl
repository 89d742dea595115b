// Adds what its experts make of each token to its hidden state.
//
//   y[m] += sum_slot routes[m, slot].weight * x[m * top_k + slot], slots in order
//
// Grid: x = 64 vec4 columns, y = token.
// Bindings: routes [n_tokens, n_slots] of (expert, weight bits); x [n_tokens * top_k, stride] f32; y [n_tokens, stride]
// f32. Stride is padded to whole vec4.
// Needs: nothing.
struct Params {
    // vec4 columns in a row of x and y
    stride: u32,
    top_k: u32,
    // top_k, or more; the rest is not looked at
    n_slots: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> routes: array<vec2<u32>>;
@group(0) @binding(2) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let column = group.x * 64u + lane;
    if (column >= params.stride) {
        return;
    }
    let i = group.y * params.stride + column;
    var sum = y[i];
    for (var slot = 0u; slot < params.top_k; slot++) {
        let weight = bitcast<f32>(routes[group.y * params.n_slots + slot].y);
        sum += weight * x[(group.y * params.top_k + slot) * params.stride + column];
    }
    y[i] = sum;
}
