// Matrix times matrix by workgroups: a register tile fed from two tiles in workgroup memory.
//
// Grid: x = tiles of 64 rows of W, y = tiles of TILE_M rows of X. Invocation (i, j) of 8 x 8 computes rows i + 8 r and
// columns j + 8 c: 64 products for 16 loads at every k. Columns of one invocation lie 8 apart, so it owns gate and up, which lie `run` = 16 apart.
// Tiles hold vec4 along k, rows padded to 5 vec4 against bank conflicts.
const TILE_M: u32 = ${ tile_m }u;
const ROWS: u32 = ${ tile_m // 8 }u;
const STRIDE: u32 = 5u;

var<workgroup> tile_x: array<vec4<f32>, ${ tile_m * 5 }>;
var<workgroup> tile_w: array<vec4<f32>, 320>;

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
        finish(m, output + ${ run }u, far[r].x, far[r].z);
        finish(m, output + ${ run + 8 }u, far[r].y, far[r].w);
//% else
        for (var c = 0u; c < 4u; c++) {
            finish(m, first_row + j + c * 8u, near[r][c], 0.0);
            finish(m, first_row + j + 32u + c * 8u, far[r][c], 0.0);
        }
//% endif
    }
}
