// Attention of one new token over a slice of the cache, first of two passes (flash decoding).
//
//   s[g, t] = q[g] . k[t];  m[g] = max_t s;  p = exp(s - m);  l[g] = sum_t p;  o[g] = sum_t p * v[t]
//
// With dual chunk attention there are three q for each head; which one meets a key says how many chunks of STRIDE tokens
// lie between them: none, one, or more. They are too many for workgroup memory and read where they are.
// Grid: x = split of SPLIT tokens, y = KV head. All GROUP query heads of the KV head share each load of K and V.
// Invocations score tokens first (one token each), then sum values (one vec4 of the head each, in SLICES of tokens).
// Bindings: state; q [n_heads, head_dim] ([3, n_heads, head_dim] with dual chunks), already scaled; block_table; partial [n_heads, max_splits, head_dim];
// stats [n_heads, max_splits] = (m, l); k_cache, v_cache.
// Needs: nothing.
//% include "shared/state.wgsl"
//% include "shared/kv.wgsl"

const GROUP: u32 = ${ group }u;
const SPLIT: u32 = ${ split }u;
const SLICES: u32 = ${ 64 // (head_dim // 4) }u;

struct Params {
    n_kv_heads: u32,
    max_splits: u32,
    // keys further back than this are not seen; 0: all are
    window: u32,
    // tokens of a chunk
    stride: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> state: State;
@group(0) @binding(2) var<storage, read> q: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> block_table: array<u32>;
@group(0) @binding(4) var<storage, read_write> partial_out: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> stats: array<vec2<f32>>;

//% if not dual_chunks
var<workgroup> q_tile: array<vec4<f32>, ${ group * head_dim // 4 }>;
//% endif
var<workgroup> p: array<f32, ${ group * split }>;
var<workgroup> slots: array<f32, ${ group * 64 }>;
var<workgroup> mixed: array<vec4<f32>, 64>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let kv_head = group.y;
    let n_kv = state.position + 1u;
    let first = group.x * SPLIT;
    let end = min(first + SPLIT, n_kv);
    var seen = 0u;
    if (params.window > 0u && n_kv > params.window) {
        seen = n_kv - params.window;
    }
//% if not dual_chunks
    for (var i = lane; i < GROUP * D4; i += 64u) {
        q_tile[i] = q[kv_head * GROUP * D4 + i];
    }
    workgroupBarrier();
//% endif

    var top: array<f32, GROUP>;
    for (var g = 0u; g < GROUP; g++) {
        top[g] = MASKED;
    }
    for (var t = lane; t < SPLIT; t += 64u) {
        let position = first + t;
        var s = array<f32, GROUP>();
        if (position < end && position >= seen) {
            let page = block_table[position / PAGE];
            let base = (page * params.n_kv_heads + kv_head) * UNITS * PAGE + position % PAGE;
//% if dual_chunks
            let apart = min(state.position / params.stride - position / params.stride, 2u);
            let q_base = (apart * params.n_kv_heads + kv_head) * GROUP * D4;
//% endif
            for (var d = 0u; d < D4; d++) {
                let k = load_k(base, d);
                for (var g = 0u; g < GROUP; g++) {
//% if dual_chunks
                    s[g] += dot(q[q_base + g * D4 + d], k);
//% else
                    s[g] += dot(q_tile[g * D4 + d], k);
//% endif
                }
            }
        } else {
            for (var g = 0u; g < GROUP; g++) {
                s[g] = MASKED;
            }
        }
        for (var g = 0u; g < GROUP; g++) {
            p[g * SPLIT + t] = s[g];
            top[g] = max(top[g], s[g]);
        }
    }
    for (var g = 0u; g < GROUP; g++) {
        slots[g * 64u + lane] = top[g];
    }
    workgroupBarrier();
    for (var half = 32u; half > 0u; half >>= 1u) {
        if (lane < half) {
            for (var g = 0u; g < GROUP; g++) {
                slots[g * 64u + lane] = max(slots[g * 64u + lane], slots[g * 64u + lane + half]);
            }
        }
        workgroupBarrier();
    }
    for (var g = 0u; g < GROUP; g++) {
        top[g] = slots[g * 64u];
    }
    workgroupBarrier();

    for (var g = 0u; g < GROUP; g++) {
        var sum = 0.0;
        for (var t = lane; t < SPLIT; t += 64u) {
            let e = exp(p[g * SPLIT + t] - top[g]);
            p[g * SPLIT + t] = e;
            sum += e;
        }
        slots[g * 64u + lane] = sum;
    }
    workgroupBarrier();
    for (var half = 32u; half > 0u; half >>= 1u) {
        if (lane < half) {
            for (var g = 0u; g < GROUP; g++) {
                slots[g * 64u + lane] += slots[g * 64u + lane + half];
            }
        }
        workgroupBarrier();
    }

    var acc: array<vec4<f32>, GROUP>;
    let d = lane % D4;
    let slice = lane / D4;
    if (slice < SLICES && end > first) {
        for (var t = slice; t < end - first; t += SLICES) {
            let position = first + t;
            let page = block_table[position / PAGE];
            let v = load_v(((page * params.n_kv_heads + kv_head) * PAGE + position % PAGE) * UNITS, d);
            for (var g = 0u; g < GROUP; g++) {
                acc[g] += p[g * SPLIT + t] * v;
            }
        }
    }
    for (var g = 0u; g < GROUP; g++) {
        mixed[lane] = acc[g];
        workgroupBarrier();
        let dst = (kv_head * GROUP + g) * params.max_splits + group.x;
        if (lane < D4) {
            var sum = mixed[lane];
            for (var i = 1u; i < SLICES; i++) {
                sum += mixed[lane + i * D4];
            }
            partial_out[dst * D4 + lane] = sum;
        }
        if (lane == 0u) {
            stats[dst] = vec2(top[g], slots[g * 64u]);
        }
        workgroupBarrier();
    }
}
