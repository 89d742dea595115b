// Matrix times matrix for prefill: a register tile fed from two tiles in workgroup memory.
//
//   a[m, n] = sum_k X[m, k] * W[n, k]
//   store: Y[m, n] = a + bias[n];   add: Y[m, n] += a;   silu_mul: Y[m, i] = silu(a[m, gate of i]) * a[m, up of i]
//
// Gate and up rows alternate in runs of 16 (see gemv.wgsl); columns of one invocation lie 16 apart, so it owns both.
// Grid: x = tiles of 64 rows of W, y = tiles of TILE_M rows of X. Invocation (i, j) of 16 x 16 computes rows
// i + 16 r and columns j + 16 c. Tiles hold vec4 along k, with rows padded to 5 vec4 against bank conflicts.
// Bindings: X [M, K] f32; Y [M, N] f32; W in any layout; bias [N] f32. K is padded to 32 with zeros, the rows of X
// and Y to whole tiles (what is computed there is never read).
// Needs: nothing; 16 KiB of workgroup memory are enough for every variant.
struct Params {
    // units of 8 columns in a row of W
    units: u32,
    // vec4 columns in a row of X; f32 columns in a row of Y
    x_stride: u32,
    y_stride: u32,
    // rows of W in this shard, and the output column where they start
    n_rows: u32,
    first_output: u32,
    n_outputs: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
//% include "quant/" ~ quant ~ ".wgsl"
//% if bias
@group(0) @binding(${ bias_binding }) var<storage, read> bias: array<f32>;
//% endif

const TILE_M: u32 = ${ tile_m }u;
const ROWS: u32 = ${ tile_m // 16 }u;
const STRIDE: u32 = 5u;

var<workgroup> tile_x: array<vec4<f32>, ${ tile_m * 5 }>;
var<workgroup> tile_w: array<vec4<f32>, 320>;

fn finish(m: u32, output: u32, a: f32, b: f32) {
    let n = params.first_output + output;
    let i = m * params.y_stride + n;
    if (output >= params.n_outputs) {
        return;
    }
//% if epilogue == "silu_mul"
    y[i] = a / (1.0 + exp(-a)) * b;
//% elif epilogue == "add"
    y[i] += a;
//% elif bias
    y[i] = a + bias[n];
//% else
    y[i] = a;
//% endif
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let first_row = group.x * 64u;
    let first_m = group.y * TILE_M;
    let i = lane / 16u;
    let j = lane % 16u;
    var acc: array<vec4<f32>, ROWS>;
    // Lanes 0..127 fetch W (64 rows, 2 units of 8 each), the others X; each unit is two vec4 of its row.
    let fetch_row = (lane % 128u) / 2u;
    let fetch_unit = lane % 2u;
    let w_row = min(first_row + fetch_row, params.n_rows - 1u);
    for (var unit = 0u; unit < params.units; unit += 2u) {
        workgroupBarrier();
        if (lane < 128u) {
            let w = load_w8(w_row, unit + fetch_unit, params.units);
            let at = fetch_row * STRIDE + fetch_unit * 2u;
            tile_w[at] = w.lo;
            tile_w[at + 1u] = w.hi;
        } else if (fetch_row < TILE_M) {
            let src = (first_m + fetch_row) * params.x_stride + (unit + fetch_unit) * 2u;
            let at = fetch_row * STRIDE + fetch_unit * 2u;
            tile_x[at] = x[src];
            tile_x[at + 1u] = x[src + 1u];
        }
        workgroupBarrier();
        for (var k = 0u; k < 4u; k++) {
            let w0 = tile_w[j * STRIDE + k];
            let w1 = tile_w[(j + 16u) * STRIDE + k];
            let w2 = tile_w[(j + 32u) * STRIDE + k];
            let w3 = tile_w[(j + 48u) * STRIDE + k];
            for (var r = 0u; r < ROWS; r++) {
                let v = tile_x[(i + r * 16u) * STRIDE + k];
                acc[r] += vec4(dot(v, w0), dot(v, w1), dot(v, w2), dot(v, w3));
            }
        }
    }
    for (var r = 0u; r < ROWS; r++) {
        let m = first_m + i + r * 16u;
//% if epilogue == "silu_mul"
        finish(m, first_row / 2u + j, acc[r].x, acc[r].y);
        finish(m, first_row / 2u + 16u + j, acc[r].z, acc[r].w);
//% else
        finish(m, first_row + j, acc[r].x, 0.0);
        finish(m, first_row + 16u + j, acc[r].y, 0.0);
        finish(m, first_row + 32u + j, acc[r].z, 0.0);
        finish(m, first_row + 48u + j, acc[r].w, 0.0);
//% endif
    }
}
