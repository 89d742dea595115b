// Reading the paged key/value cache. One page holds PAGE tokens of every KV head of a layer. Keys are stored with
// the tokens innermost, [page][kv_head][head_dim / 4][token] of vec4, so that neighbouring invocations, which score
// neighbouring tokens, read neighbouring words; values as [page][kv_head][token][head_dim / 4].
const PAGE: u32 = ${ page }u;
const D4: u32 = ${ head_dim // 4 }u;
// Stands for minus infinity, which shaders may assume away.
const MASKED: f32 = -1.0e30;

//% if kv == "f16"
@group(0) @binding(${ kv_binding }) var<storage, read> k_cache: array<vec2<u32>>;
@group(0) @binding(${ kv_binding + 1 }) var<storage, read> v_cache: array<vec2<u32>>;

fn load_k(i: u32) -> vec4<f32> {
    let v = k_cache[i];
    return vec4(unpack2x16float(v.x), unpack2x16float(v.y));
}

fn load_v(i: u32) -> vec4<f32> {
    let v = v_cache[i];
    return vec4(unpack2x16float(v.x), unpack2x16float(v.y));
}
//% else
@group(0) @binding(${ kv_binding }) var<storage, read> k_cache: array<vec4<f32>>;
@group(0) @binding(${ kv_binding + 1 }) var<storage, read> v_cache: array<vec4<f32>>;

fn load_k(i: u32) -> vec4<f32> {
    return k_cache[i];
}

fn load_v(i: u32) -> vec4<f32> {
    return v_cache[i];
}
//% endif
