// Matrix times matrix by invocations, each on its own: 8 rows of 8 columns in registers, no barrier, no workgroup memory.
//
// CPU devices load one lane at a time and run all invocations up to a barrier, so that there the loads from tiles in
// workgroup memory cost more than the products. Here 8 rows share the loads of W, and 8 columns those of X.
//
// Grid: x = tiles of 8 rows of X (with experts: of the table, in turns of 8), so that neighbours find the same rows of W
// in the cache; y = blocks of ${ wg * 8 } rows of W, 8 an invocation.

//% if epilogue == "silu_mul"
// columns 0 to 3 are gates, columns 4 to 7 their ups
const OUTPUTS: u32 = 4u;
fn column_row(first: u32, c: u32) -> u32 {
    return min((first / ${ run }u) * ${ run * 2 }u + first % ${ run }u + c % 4u + (c / 4u) * ${ run }u, params.n_rows - 1u);
}
//% else
const OUTPUTS: u32 = 8u;
fn column_row(first: u32, c: u32) -> u32 {
    return min(first + c, params.n_rows - 1u);
}
//% endif

@compute @workgroup_size(${ wg })
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let first = (group.y * ${ wg }u + lane) * OUTPUTS;
    if (first >= params.n_outputs) {
        return;
    }
//% if experts
    let tile = tiles[group.x];
    // experts before this shard's wrap around to large numbers
    let expert = tile.expert - params.first_expert;
    if (tile.count == 0u || expert >= params.n_experts) {
        return;
    }
    let first_row = expert * params.n_rows;
//% endif
//% if epilogue == "store_scaled"
    first_scale = ${ "tile.expert * params.n_rows" if experts else "params.first_output" };
//% endif
    var rows: array<u32, 8>;
    for (var c = 0u; c < 8u; c++) {
        rows[c] = ${ "first_row + " if experts }column_row(first, c);
    }
//% if experts
    for (var at = 0u; at < tile.count; at += 8u) {
        let n_m = min(tile.count - at, 8u);
//% else
    {
        let n_m = 8u;
//% endif
        var m = array<u32, 8>();
        var src = array<u32, 8>();
        for (var r = 0u; r < 8u; r++) {
//% if experts
            // the last row again where there are less
            m[r] = assignments[tile.first + at + min(r, n_m - 1u)];
            src[r] = m[r] / params.sharing * params.x_stride;
//% else
            m[r] = group.x * 8u + r;
            src[r] = m[r] * params.x_stride;
//% endif
        }
        // columns 0 to 3 and 4 to 7 of each row
        var near = array<vec4<f32>, 8>();
        var far = array<vec4<f32>, 8>();
        for (var unit = 0u; unit < params.units; unit++) {
            var w = array<W8, 8>();
            for (var c = 0u; c < 8u; c++) {
                w[c] = load_w8(rows[c], unit, params.units);
            }
            for (var r = 0u; r < 8u; r++) {
                let lo = x[src[r] + unit * 2u];
                let hi = x[src[r] + unit * 2u + 1u];
                near[r] += vec4(dot(w[0].lo, lo), dot(w[1].lo, lo), dot(w[2].lo, lo), dot(w[3].lo, lo));
                near[r] += vec4(dot(w[0].hi, hi), dot(w[1].hi, hi), dot(w[2].hi, hi), dot(w[3].hi, hi));
                far[r] += vec4(dot(w[4].lo, lo), dot(w[5].lo, lo), dot(w[6].lo, lo), dot(w[7].lo, lo));
                far[r] += vec4(dot(w[4].hi, hi), dot(w[5].hi, hi), dot(w[6].hi, hi), dot(w[7].hi, hi));
            }
        }
        for (var r = 0u; r < 8u; r++) {
            if (r >= n_m) {
                break;
            }
            for (var c = 0u; c < 4u; c++) {
//% if epilogue == "silu_mul"
                finish(m[r], first + c, near[r][c], far[r][c]);
//% else
                finish(m[r], first + c, near[r][c], 0.0);
                finish(m[r], first + c + 4u, far[r][c], 0.0);
//% endif
            }
        }
    }
}
