// Causal attention of many new tokens of each sequence over its cache, with a running softmax (flash attention 2): no N x N buffer.
//
//   o[r] = sum_t softmax_t(q[r] . k[t]) * v[t] over keys t <= position of r (and within the window)
//
// With dual chunk attention there are three q for each token and head, see attend_decode.wgsl. "Bidirectional" lets every
// token see all of its sequence's, which is whole in the step.
// Grid: x = tile of at most ROWS tokens of a sequence, y = query head. For each page of 32 keys, 128 invocations score (a key and a quarter
// of the rows each), update the row statistics (8 invocations a row) and add values (a vec4 of the head and some rows
// each).
// Bindings: step; q [n_tokens, n_heads, head_dim] ([n_tokens, 3, n_heads, head_dim] with dual chunks), already scaled; y
// [n_tokens, stride]; k_cache, v_cache.
// Needs: nothing.
//% include "shared/step.wgsl"
//% include "shared/kv.wgsl"

const ROWS: u32 = ${ rows }u;
const SCORED: u32 = ${ rows // 4 }u;
const GROUPS: u32 = ${ groups }u;
const SUMMED: u32 = ${ (rows + groups - 1) // groups }u;

struct Params {
    n_heads: u32,
    n_kv_heads: u32,
    // vec4 columns in a row of q and of y
    q_stride: u32,
    y_stride: u32,
    // keys further back than this are not seen; 0: all are
    window: u32,
    // tokens of a chunk
    stride: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read> q: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>;

//% if not dual_chunks
var<workgroup> q_tile: array<vec4<f32>, ${ rows * head_dim // 4 }>;
//% endif
var<workgroup> s_tile: array<f32, ${ rows * 32 }>;
var<workgroup> tops: array<f32, 128>;
var<workgroup> sums: array<f32, 128>;
var<workgroup> decay: array<f32, ${ rows }>;
var<workgroup> mass: array<f32, ${ rows }>;

@compute @workgroup_size(128)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let head = group.y;
    let kv_head = head / (params.n_heads / params.n_kv_heads);
    let tile = step[step[0].y + group.x];
    let first_token = tile.x;
    let end_token = tile.y;
    let first_position = tile.z;
//% if not dual_chunks
    for (var i = lane; i < ROWS * D4; i += 128u) {
        let token = min(first_token + i / D4, end_token - 1u);
        q_tile[i] = q[token * params.q_stride + head * D4 + i % D4];
    }
//% endif

    let key = lane % 32u;
    let scored = (lane / 32u) * SCORED;
    let row = lane / 8u;
    let part = lane % 8u;
    let d = lane % D4;
    let summed = (lane / D4) * SUMMED;
    let sums_values = lane / D4 < GROUPS;
    var acc: array<vec4<f32>, SUMMED>;
    var top = MASKED;
    var total = 0.0;

    let end_position = first_position + end_token - first_token;
//% if bidirectional
    let last_position = end_position - 1u;
//% else
    let last_position = min(first_position + ROWS, end_position) - 1u;
//% endif
    var first_page = 0u;
    if (params.window > 0u && first_position + 1u > params.window) {
        first_page = (first_position + 1u - params.window) / PAGE;
    }
    for (var block = first_page; block <= last_position / PAGE; block++) {
        let page = page_of(tile.w, block);
        workgroupBarrier();
        var s = array<f32, SCORED>();
        let k_base = (page * params.n_kv_heads + kv_head) * UNITS * PAGE + key;
        let key_position = block * PAGE + key;
//% if dual_chunks
        var q_base = array<u32, SCORED>();
        for (var r = 0u; r < SCORED; r++) {
            let token = min(first_token + scored + r, end_token - 1u);
            // a key of the future wraps around; its score is masked
            let apart = min((first_position + token - first_token) / params.stride - key_position / params.stride, 2u);
            q_base[r] = (token * 3u + apart) * params.q_stride + head * D4;
        }
//% endif
        for (var i = 0u; i < D4; i++) {
            let k = load_k(k_base, i);
            for (var r = 0u; r < SCORED; r++) {
//% if dual_chunks
                s[r] += dot(q[q_base[r] + i], k);
//% else
                s[r] += dot(q_tile[(scored + r) * D4 + i], k);
//% endif
            }
        }
        for (var r = 0u; r < SCORED; r++) {
            let position = first_position + scored + r;
//% if bidirectional
            let visible = key_position <= last_position;
//% else
            let visible = key_position <= position
                && (params.window == 0u || key_position + params.window > position);
//% endif
            s_tile[(scored + r) * 32u + key] = select(MASKED, s[r], visible);
        }
        workgroupBarrier();
        if (row < ROWS) {
            let at = row * 32u + part * 4u;
            tops[lane] = max(max(s_tile[at], s_tile[at + 1u]), max(s_tile[at + 2u], s_tile[at + 3u]));
        }
        workgroupBarrier();
        if (row < ROWS) {
            var new_top = top;
            for (var i = 0u; i < 8u; i++) {
                new_top = max(new_top, tops[row * 8u + i]);
            }
            var sum = 0.0;
            for (var i = 0u; i < 4u; i++) {
                let at = row * 32u + part * 4u + i;
                let e = exp(s_tile[at] - new_top);
                s_tile[at] = e;
                sum += e;
            }
            sums[lane] = sum;
            if (part == 0u) {
                decay[row] = exp(top - new_top);
            }
            top = new_top;
        }
        workgroupBarrier();
        if (row < ROWS) {
            total *= decay[row];
            for (var i = 0u; i < 8u; i++) {
                total += sums[row * 8u + i];
            }
        }
        if (sums_values) {
            for (var r = 0u; r < SUMMED; r++) {
                acc[r] *= decay[min(summed + r, ROWS - 1u)];
            }
            let v_base = (page * params.n_kv_heads + kv_head) * PAGE * UNITS;
            for (var t = 0u; t < 32u; t++) {
                let v = load_v(v_base + t * UNITS, d);
                for (var r = 0u; r < SUMMED; r++) {
                    acc[r] += s_tile[min(summed + r, ROWS - 1u) * 32u + t] * v;
                }
            }
        }
    }
    if (row < ROWS && part == 0u) {
        mass[row] = total;
    }
    workgroupBarrier();
    if (sums_values) {
        for (var r = 0u; r < SUMMED; r++) {
            let token = first_token + summed + r;
            if (summed + r < ROWS && token < end_token) {
                y[token * params.y_stride + head * D4 + d] = acc[r] / mass[summed + r];
            }
        }
    }
}
