// Attention of one new token of each sequence, second pass: merges the splits of attend_decode.
//
//   M = max_i m[i];  o = sum_i exp(m[i] - M) * o[i] / sum_i exp(m[i] - M) * l[i]
//
// Grid: x = 8 vec4 of the head, y = query head, z = token. 8 invocations share a vec4 and take every eighth split each,
// with a running M.
// Bindings: step; partial [n_tokens, n_heads, max_splits, head_dim]; stats [n_tokens, n_heads, max_splits] = (m, l); y
// [n_tokens, stride].
// Needs: nothing.
//% include "shared/step.wgsl"
//% include "shared/splits.wgsl"

const D4: u32 = ${ head_dim // 4 }u;

struct Params {
    max_splits: u32,
    // vec4 columns in a row of y
    y_stride: u32,
    // keys further back than this are not seen; 0: all are
    window: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read> partial_in: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> stats: array<vec2<f32>>;
@group(0) @binding(4) var<storage, read_write> y: array<vec4<f32>>;

var<workgroup> tops: array<f32, 64>;
var<workgroup> masses: array<f32, 64>;
var<workgroup> sums: array<vec4<f32>, 64>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let d = group.x * 8u + lane % 8u;
    let first = (group.z * groups.y + group.y) * params.max_splits;
    let n_splits = share_blocks(step[FIRST_ROW + group.z].z, params.window, params.max_splits).n_splits;
    var top = -1.0e30;
    var mass = 0.0;
    var sum = vec4(0.0);
    for (var i = lane / 8u; i < n_splits; i += 8u) {
        let stat = stats[first + i];
        let value = partial_in[(first + i) * D4 + min(d, D4 - 1u)];
        let new_top = max(top, stat.x);
        let decay = exp(top - new_top);
        let weight = exp(stat.x - new_top);
        mass = mass * decay + weight * stat.y;
        sum = sum * decay + weight * value;
        top = new_top;
    }
    tops[lane] = top;
    masses[lane] = mass;
    sums[lane] = sum;
    workgroupBarrier();
    if (lane >= 8u || d >= D4) {
        return;
    }
    for (var i = lane + 8u; i < 64u; i += 8u) {
        top = max(top, tops[i]);
    }
    mass = 0.0;
    sum = vec4(0.0);
    for (var i = lane; i < 64u; i += 8u) {
        let weight = exp(tops[i] - top);
        mass += weight * masses[i];
        sum += weight * sums[i];
    }
    y[group.z * params.y_stride + group.y * D4 + d] = sum / mass;
}
