// Root mean square normalisation of rows.
//
//   y[r, k] = weight[k] * x[o, k] / sqrt(mean_k(x[o, k]^2) + eps),  o = r or the token of output r
//
// Grid: x = row, one workgroup each.
// Bindings: step; x [n_tokens, stride] f32; weight [n_cols] f32; y [rows, stride] f32. Stride and weight are padded
// with zeros to whole vec4.
// Needs: nothing; subgroups shorten the sum.
//% if enable_subgroups
enable subgroups;
//% endif
//% include "shared/step.wgsl"

struct Params {
    n_cols: u32,
    // vec4 columns in a row of x and y
    stride: u32,
    eps: f32,
    // 1: rows are those of the outputs, 0: of all tokens
    of_outputs: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> weight: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> y: array<vec4<f32>>;
//% include "shared/reduce.wgsl"

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
    var row = group.x;
    if (params.of_outputs == 1u) {
        row = step[step[0].z + group.x].x;
    }
    let src = row * params.stride;
    let dst = group.x * params.stride;
    let n = (params.n_cols + 3u) / 4u;
    var squares = 0.0;
    for (var i = lane; i < n; i += ${ wg }u) {
        let v = x[src + i];
        squares += dot(v, v);
    }
    let total = reduce_sum(squares, lane, lane_in_subgroup, width);
    let scale = inverseSqrt(total / f32(params.n_cols) + params.eps);
    for (var i = lane; i < n; i += ${ wg }u) {
        y[dst + i] = x[src + i] * scale * weight[i];
    }
}
