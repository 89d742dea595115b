// Matrix times matrix for prefill: a register tile fed from two tiles in workgroup memory.
//
//   a[m, n] = sum_k X[m, k] * W[n, k]
//   store: Y[m, n] = a + bias[n];         relu: Y[m, n] = max(a + bias[n], 0);
//   add: Y[m, n] += a;                    add_scaled: Y[m, n] += routes[m, slot].weight * a;
//   store_scaled: Y[m, n] = scale[n] * a;
//   silu_mul: Y[m, i] = silu(a[m, gate of i]) * a[m, up of i]
//
// With experts, the rows of all of them are stacked in W, and a tile of rows of X has one expert, see group_tokens.wgsl:
//   m = an assignment of the tile;  a[m, n] = sum_k X[m / sharing, k] * W[n of the expert, k]
//
// Gate and up rows alternate in runs of 16 (see gemv.wgsl); columns of one invocation lie 8 apart, so it owns both.
// Grid: x = tiles of 64 rows of W, y = tiles of TILE_M rows of X
// (with experts: tiles of the table, those without work leave early). Invocation (i, j) of 8 x 8 computes rows i + 8 r and
// columns j + 8 c: 64 products for 16 loads at every k. Tiles hold vec4 along k, rows padded to 5 vec4 against bank
// conflicts.
// Bindings: X [M, K] f32; Y [M, N] f32; W in any layout; bias [N] f32; routes [M, slots] of (expert, weight
// bits); scale [N] f32, of all experts; tiles; assignments. K is padded to 32 with zeros, the rows of X and Y to whole tiles (what is computed there is never read).
// Needs: nothing; 16 KiB of workgroup memory are enough for every variant.
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
    // the slot of a row's routes whose weight scales the product, and how many there are
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
// where the factors of these outputs start
var<private> first_scale: u32;
//% endif
//% if experts
//% include "shared/tile.wgsl"
@group(0) @binding(${ tiles_binding }) var<storage, read> tiles: array<Tile>;
@group(0) @binding(${ tiles_binding + 1 }) var<storage, read> assignments: array<u32>;
//% endif

const TILE_M: u32 = ${ tile_m }u;
const ROWS: u32 = ${ tile_m // 8 }u;
const STRIDE: u32 = 5u;

var<workgroup> tile_x: array<vec4<f32>, ${ tile_m * 5 }>;
var<workgroup> tile_w: array<vec4<f32>, 320>;

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
    y[i] = scale_of[first_scale + output] * a;
//% elif epilogue == "relu"
    y[i] = max(${ sum }, 0.0);
//% else
    y[i] = ${ sum };
//% endif
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let first_row = group.x * 64u;
    let i = lane / 8u;
    let j = lane % 8u;
    // columns 0, 1, 2, 3 and 4, 5, 6, 7 of each row
    var near: array<vec4<f32>, ROWS>;
    var far: array<vec4<f32>, ROWS>;
//% if experts
    let tile = tiles[group.y];
    // experts before this shard's wrap around to large numbers
    let expert = tile.expert - params.first_expert;
    if (tile.count == 0u || expert >= params.n_experts) {
        return;
    }
    let w_row = expert * params.n_rows + min(first_row + lane, params.n_rows - 1u);
    let x_row = assignments[tile.first + min(lane, tile.count - 1u)] / params.sharing;
//% else
    let first_m = group.y * TILE_M;
    let w_row = min(first_row + lane, params.n_rows - 1u);
    let x_row = first_m + lane;
//% endif
//% if epilogue == "store_scaled"
    first_scale = ${ "tile.expert * params.n_rows" if experts else "params.first_output" };
//% endif
    for (var unit = 0u; unit < params.units; unit += 2u) {
        workgroupBarrier();
        // every invocation fetches 16 elements of a row of W, and the first TILE_M as many of a row of X
        let w0 = load_w8(w_row, unit, params.units);
        let w1 = load_w8(w_row, unit + 1u, params.units);
        let at = lane * STRIDE;
        tile_w[at] = w0.lo;
        tile_w[at + 1u] = w0.hi;
        tile_w[at + 2u] = w1.lo;
        tile_w[at + 3u] = w1.hi;
        if (lane < TILE_M) {
            let src = x_row * params.x_stride + unit * 2u;
            tile_x[at] = x[src];
            tile_x[at + 1u] = x[src + 1u];
            tile_x[at + 2u] = x[src + 2u];
            tile_x[at + 3u] = x[src + 3u];
        }
        workgroupBarrier();
        for (var k = 0u; k < 4u; k++) {
            let a0 = tile_w[j * STRIDE + k];
            let a1 = tile_w[(j + 8u) * STRIDE + k];
            let a2 = tile_w[(j + 16u) * STRIDE + k];
            let a3 = tile_w[(j + 24u) * STRIDE + k];
            let b0 = tile_w[(j + 32u) * STRIDE + k];
            let b1 = tile_w[(j + 40u) * STRIDE + k];
            let b2 = tile_w[(j + 48u) * STRIDE + k];
            let b3 = tile_w[(j + 56u) * STRIDE + k];
            for (var r = 0u; r < ROWS; r++) {
//% if experts
                // Few tiles are full: an expert gets the tokens that it gets.
                if (r * 8u < tile.count) {
//% endif
                let v = tile_x[(i + r * 8u) * STRIDE + k];
                near[r] += vec4(dot(v, a0), dot(v, a1), dot(v, a2), dot(v, a3));
                far[r] += vec4(dot(v, b0), dot(v, b1), dot(v, b2), dot(v, b3));
//% if experts
                }
//% endif
            }
        }
    }
    for (var r = 0u; r < ROWS; r++) {
//% if experts
        if (i + r * 8u >= tile.count) {
            break;
        }
        let m = assignments[tile.first + i + r * 8u];
//% else
        let m = first_m + i + r * 8u;
//% endif
//% if epilogue == "silu_mul"
        let output = first_row / 2u + j;
        finish(m, output, near[r].x, near[r].z);
        finish(m, output + 8u, near[r].y, near[r].w);
        finish(m, output + 16u, far[r].x, far[r].z);
        finish(m, output + 24u, far[r].y, far[r].w);
//% else
        for (var c = 0u; c < 4u; c++) {
            finish(m, first_row + j + c * 8u, near[r][c], 0.0);
            finish(m, first_row + j + 32u + c * 8u, far[r][c], 0.0);
        }
//% endif
    }
}
