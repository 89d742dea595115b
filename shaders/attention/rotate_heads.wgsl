// Turns the projected rows into queries and cache entries: QK-norm, rotary embedding, KV write.
//
//   h = head of qkv;  q, k: h *= weight / sqrt(mean(h^2) + eps)  (only with QK-norm)
//   q, k: (h[i], h[i + R/2]) rotated by the angle position * freq[i] for i < R/2; the other dimensions pass
//   q *= scale (1 / sqrt(head_dim)), so that attention needs no multiplication per score
//   8-bit caches: 32 elements of a key or value become round(127 * h / max |h|) and the scale max |h| / 127
//
// A token has ROWS angles: the first turns keys, QUERIES of them from FIRST_QUERY on turn queries, each into a query of
// its own (dual chunk attention has three, LogN one that also scales).
// Grid: one invocation for 8 dimensions of one head of one token, 64 a workgroup: x folded. Every invocation sums the
// squares of its whole head itself: re-reading head_dim cached values costs less than a barrier. For an 8-bit cache, the
// first invocations of a key or value turn 32 dimensions each, which share a scale, and the others none.
// Bindings: step, whose angles are [n_tokens, ROWS, 2, R/8] vec4 = cos, sin; qkv [n_tokens, stride] = [q | k | v]; q
// [n_tokens, QUERIES, n_heads, head_dim]; k_cache, v_cache (see shared/kv.wgsl); norms [2, head_dim] of queries and of
// keys.
// Needs: nothing.
//% include "shared/step.wgsl"

const PAGE: u32 = ${ page }u;
const D4: u32 = ${ head_dim // 4 }u;
const PARTS: u32 = ${ head_dim // 8 }u;
// invocations of a head that rotate; each owns 4 frequencies
const ROTATED: u32 = ${ rotary_dim // 8 }u;
const ROWS: u32 = ${ rows }u;
const FIRST_QUERY: u32 = ${ first_query }u;
const QUERIES: u32 = ${ queries }u;
//% if kv == "q8"
// units of a head's vector in the cache, of which the last are scales
const UNITS: u32 = ${ units }u;
const SCALES: u32 = UNITS - D4;
//% endif

struct Params {
    n_heads: u32,
    n_kv_heads: u32,
    // vec4 columns in a row of qkv and of one query
    qkv_stride: u32,
    q_stride: u32,
    eps: f32,
    scale: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read> qkv: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> q: array<vec4<f32>>;
//% if kv == "f16"
@group(0) @binding(4) var<storage, read_write> k_cache: array<vec2<u32>>;
@group(0) @binding(5) var<storage, read_write> v_cache: array<vec2<u32>>;

fn pack(v: vec4<f32>) -> vec2<u32> {
    // out of range, pack2x16float may return anything
    let c = clamp(v, vec4(-65504.0), vec4(65504.0));
    return vec2(pack2x16float(c.xy), pack2x16float(c.zw));
}
//% elif kv == "q8"
@group(0) @binding(4) var<storage, read_write> k_cache: array<u32>;
@group(0) @binding(5) var<storage, read_write> v_cache: array<u32>;

fn store(is_value: bool, at: u32, word: u32) {
    if (is_value) {
        v_cache[at] = word;
    } else {
        k_cache[at] = word;
    }
}
//% else
@group(0) @binding(4) var<storage, read_write> k_cache: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> v_cache: array<vec4<f32>>;

fn pack(v: vec4<f32>) -> vec4<f32> {
    return v;
}
//% endif
//% if qk_norm
@group(0) @binding(6) var<storage, read> norms: array<vec4<f32>>;
//% endif

fn cosine(at: u32) -> vec4<f32> {
    return bitcast<vec4<f32>>(step[at]);
}

fn sine(at: u32) -> vec4<f32> {
    return bitcast<vec4<f32>>(step[at + ROTATED]);
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let index = (group.x + group.y * groups.x) * 64u + lane;
    let part = index % PARTS;
    let n_all = params.n_heads + 2u * params.n_kv_heads;
    let head = (index / PARTS) % n_all;
    let token = index / (PARTS * n_all);
    if (token >= step[0].x) {
        return;
    }
    let is_query = head < params.n_heads;
    let is_value = head >= params.n_heads + params.n_kv_heads;
    let src = token * params.qkv_stride + head * D4;

    // the two vec4 of this invocation, as vec4 indices inside the head
    var lo = part * 2u;
    var hi = lo + 1u;
    let rotates = !is_value && part < ROTATED;
    if (rotates) {
        lo = part;
        hi = part + ROTATED;
    }
    var a = qkv[src + lo];
    var b = qkv[src + hi];
//% if qk_norm
    var rms = 1.0;
    if (!is_value) {
        var squares = 0.0;
        for (var i = 0u; i < D4; i++) {
            let v = qkv[src + i];
            squares += dot(v, v);
        }
        rms = inverseSqrt(squares / ${ head_dim }.0 + params.eps);
        let weights = select(D4, 0u, is_query);
        a *= rms * norms[weights + lo];
        b *= rms * norms[weights + hi];
    }
//% endif
    let place = step[FIRST_ROW + token];
    let position = place.z;
    let first_angle = step[0].w + token * ROWS * 2u * ROTATED;
    let angles = first_angle + part;
    if (is_query) {
        a *= params.scale;
        b *= params.scale;
        for (var i = 0u; i < QUERIES; i++) {
            let dst = (token * QUERIES + i) * params.q_stride + head * D4;
            if (rotates) {
                let at = angles + (FIRST_QUERY + i) * 2u * ROTATED;
                q[dst + lo] = a * cosine(at) - b * sine(at);
                q[dst + hi] = b * cosine(at) + a * sine(at);
            } else {
                q[dst + lo] = a;
                q[dst + hi] = b;
            }
        }
        return;
    }
    let page = page_of(place.w, position / PAGE);
    let slot = position % PAGE;
//% if kv == "q8"
    if (part >= SCALES) {
        return;
    }
    let kv_head = (head - params.n_heads) % params.n_kv_heads;
    let block = page * params.n_kv_heads + kv_head;
    let dst = select(block * UNITS * PAGE + slot, (block * PAGE + slot) * UNITS, is_value);
    let apart = select(PAGE, 1u, is_value);
    let first = part * 8u;
    let end = min(first + 8u, D4);
    var turned = array<vec4<f32>, 8>();
    // so small that it hardly counts, and its inverse is finite
    var top = 1.0e-30;
    for (var i = first; i < end; i++) {
        var v = qkv[src + i];
//% if qk_norm
        if (!is_value) {
            v *= rms * norms[D4 + i];
        }
//% endif
        if (!is_value && i < 2u * ROTATED) {
            let is_lo = i < ROTATED;
            let pair = select(i - ROTATED, i + ROTATED, is_lo);
            var other = qkv[src + pair];
//% if qk_norm
            other *= rms * norms[D4 + pair];
//% endif
            let at = first_angle + min(i, pair);
            v = v * cosine(at) + select(other, -other, is_lo) * sine(at);
        }
        turned[i - first] = v;
        let size = abs(v);
        top = max(top, max(max(size.x, size.y), max(size.z, size.w)));
    }
    for (var i = first; i < end; i++) {
        let quants = vec4<i32>(round(turned[i - first] * (127.0 / top)));
        store(is_value, dst + i * apart, pack4xI8(quants));
    }
    store(is_value, dst + (D4 + part) * apart, bitcast<u32>(top / 127.0));
//% else
    if (rotates) {
        let rotated = a * cosine(angles) - b * sine(angles);
        b = b * cosine(angles) + a * sine(angles);
        a = rotated;
    }
    if (is_value) {
        let kv_head = head - params.n_heads - params.n_kv_heads;
        let dst = ((page * params.n_kv_heads + kv_head) * PAGE + slot) * D4;
        v_cache[dst + lo] = pack(a);
        v_cache[dst + hi] = pack(b);
    } else {
        let kv_head = head - params.n_heads;
        let dst = (page * params.n_kv_heads + kv_head) * D4;
        k_cache[(dst + lo) * PAGE + slot] = pack(a);
        k_cache[(dst + hi) * PAGE + slot] = pack(b);
    }
//% endif
}
