// The activation of gated feed-forward networks, where something was added to gate and up first.
//
//   y[r, i] = silu(x[r, gate of i]) * x[r, up of i]
//
// Gate and up take turns of `run` columns in x (see gemv.wgsl).
// Grid: x = 64 outputs, y = token, z = row of the token.
// Bindings: x [rows, x_stride] f32; y [rows, y_stride] f32.
// Needs: nothing.
struct Params {
    n_outputs: u32,
    // f32 columns in a row of x and of y
    x_stride: u32,
    y_stride: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = group.x * 64u + lane;
    if (i >= params.n_outputs) {
        return;
    }
    let row = group.y * groups.z + group.z;
    let src = row * params.x_stride + (i / ${ run }u) * ${ run * 2 }u + i % ${ run }u;
    let gate = x[src];
    y[row * params.y_stride + i] = gate / (1.0 + exp(-gate)) * x[src + ${ run }u];
}
