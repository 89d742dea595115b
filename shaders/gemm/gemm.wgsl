// Matrix times matrix for prefill.
//
//   a[m, n] = sum_k X[m, k] * W[n, k]
//   store: Y[m, n] = a + bias[n];         relu: Y[m, n] = max(a + bias[n], 0);
//   add: Y[m, n] += a;                    add_scaled: Y[m, n] += routes[m, slot].weight * a;
//   store_scaled: Y[m, n] = scale[n] * row_scale[m] * a;
//   silu_mul: Y[m, i] = silu(a[m, gate of i]) * a[m, up of i]
//
// With experts, the rows of all of them are stacked in W, and a tile of rows of X has one expert, see group_tokens.wgsl:
//   m = an assignment of the tile;  a[m, n] = sum_k X[m / sharing, k] * W[n of the expert, k];  row_scale[m / slots]
//
// Gate and up rows take turns of `run` rows (see gemv.wgsl); an invocation owns both of an output.
// Grid: tiles of rows of W and of X (with experts: tiles of the table, those without work leave early), see
// shapes/tiled.wgsl and shapes/serial.wgsl.
// Bindings: X [M, K] f32; Y [M, N] f32; W in any layout; bias [N] f32; routes [M, slots] of (expert, weight
// bits); scale [N] f32, of all experts; row_scale [M] f32, or one for each token; tiles; assignments. K is padded to 32
// with zeros, the rows of X and Y to whole tiles (what is computed there is never read).
// Needs: nothing; tiled takes at most 10 KiB of workgroup memory, serial none.
struct Params {
    // units of 8 columns in a row of W
    units: u32,
    // vec4 columns in a row of X; f32 columns in a row of Y
    x_stride: u32,
    y_stride: u32,
    // rows of W in this shard, or of one expert, and the output column where they start
    n_rows: u32,
    first_output: u32,
    n_outputs: u32,
    // the slot of a row's routes whose weight scales the product, and how many there are; with experts: assignments of a
    // token
    slot: u32,
    n_slots: u32,
    // experts in this shard
    first_expert: u32,
    n_experts: u32,
    // consecutive assignments that have the same row of X
    sharing: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
//% include "quant/" ~ quant ~ ".wgsl"
//% if bias
@group(0) @binding(${ bias_binding }) var<storage, read> bias: array<f32>;
//% endif
//% if epilogue == "add_scaled"
@group(0) @binding(${ routes_binding }) var<storage, read> routes: array<vec2<u32>>;
//% endif
//% if epilogue == "store_scaled"
@group(0) @binding(${ scale_binding }) var<storage, read> scale_of: array<f32>;
@group(0) @binding(${ scale_binding + 1 }) var<storage, read> row_scale_of: array<f32>;
// where the factors of these outputs start
var<private> first_scale: u32;
//% endif
//% if experts
//% include "shared/tile.wgsl"
@group(0) @binding(${ tiles_binding }) var<storage, read> tiles: array<Tile>;
@group(0) @binding(${ tiles_binding + 1 }) var<storage, read> assignments: array<u32>;
//% endif

//% set sum = "a + bias[n]" if bias else "a"
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
//% elif epilogue == "add_scaled"
    // what pads the last tile has no route; its results are never read
    y[i] += bitcast<f32>(routes[min(m * params.n_slots + params.slot, arrayLength(&routes) - 1u)].y) * a;
//% elif epilogue == "store_scaled"
//% if experts
    let row = m / params.n_slots;
//% else
    // what pads the last tile has no factor; its results are never read
    let row = min(m, arrayLength(&row_scale_of) - 1u);
//% endif
    y[i] = scale_of[first_scale + output] * row_scale_of[row] * a;
//% elif epilogue == "relu"
    y[i] = max(${ sum }, 0.0);
//% else
    y[i] = ${ sum };
//% endif
}

//% include "gemm/shapes/" ~ shape ~ ".wgsl"
