// 8-bit weights with one f16 scale per 32: w = scale * q. Streams: int8 quants, four in a u32; scales, two in a u32.
//% include "shared/half.wgsl"
@group(0) @binding(${ weights }) var<storage, read> w_quants: array<vec2<u32>>;
@group(0) @binding(${ weights + 1 }) var<storage, read> w_scales: array<u32>;

struct W8 { lo: vec4<f32>, hi: vec4<f32> }

fn load_w8(row: u32, unit: u32, units: u32) -> W8 {
    let q = w_quants[row * units + unit];
    let block = unit >> 2u;
    let pair = w_scales[row * ((units + 7u) >> 3u) + (block >> 1u)];
    let scale = half_to_float((pair >> ((block & 1u) * 16u)) & 0xffffu);
    return W8(scale * vec4<f32>(unpack4xI8(q.x)), scale * vec4<f32>(unpack4xI8(q.y)));
}
