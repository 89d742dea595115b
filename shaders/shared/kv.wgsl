// Reading the paged key/value cache. One page holds PAGE tokens of every KV head of a layer. Keys are stored with
// the tokens innermost, [page][kv_head][head_dim / 4][token] of vec4, so that neighbouring invocations, which score
// neighbouring tokens, read neighbouring words; values as [page][kv_head][token][head_dim / 4]. With 8 bits, units of one
// word take the place of the vec4: head_dim / 4 of four int8 each, then an f32 scale for each 32 elements of the head.
const PAGE: u32 = ${ page }u;
const D4: u32 = ${ head_dim // 4 }u;
// units of a head's vector
const UNITS: u32 = ${ units }u;
// Stands for minus infinity, which shaders may assume away.
const MASKED: f32 = -1.0e30;

// load_k and load_v give elements 4d .. 4d + 3 of the vector whose first unit is at `first`.

//% if kv == "f16"
@group(0) @binding(${ kv_binding }) var<storage, read> k_cache: array<vec2<u32>>;
@group(0) @binding(${ kv_binding + 1 }) var<storage, read> v_cache: array<vec2<u32>>;

fn load_k(first: u32, d: u32) -> vec4<f32> {
    let v = k_cache[first + d * PAGE];
    return vec4(unpack2x16float(v.x), unpack2x16float(v.y));
}

fn load_v(first: u32, d: u32) -> vec4<f32> {
    let v = v_cache[first + d];
    return vec4(unpack2x16float(v.x), unpack2x16float(v.y));
}
//% elif kv == "q8"
@group(0) @binding(${ kv_binding }) var<storage, read> k_cache: array<u32>;
@group(0) @binding(${ kv_binding + 1 }) var<storage, read> v_cache: array<u32>;

fn load_k(first: u32, d: u32) -> vec4<f32> {
    let scale = bitcast<f32>(k_cache[first + (D4 + d / 8u) * PAGE]);
    return scale * vec4<f32>(unpack4xI8(k_cache[first + d * PAGE]));
}

fn load_v(first: u32, d: u32) -> vec4<f32> {
    let scale = bitcast<f32>(v_cache[first + D4 + d / 8u]);
    return scale * vec4<f32>(unpack4xI8(v_cache[first + d]));
}
//% else
@group(0) @binding(${ kv_binding }) var<storage, read> k_cache: array<vec4<f32>>;
@group(0) @binding(${ kv_binding + 1 }) var<storage, read> v_cache: array<vec4<f32>>;

fn load_k(first: u32, d: u32) -> vec4<f32> {
    return k_cache[first + d * PAGE];
}

fn load_v(first: u32, d: u32) -> vec4<f32> {
    return v_cache[first + d];
}
//% endif
