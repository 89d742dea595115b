// 4-bit weights with one f16 scale per 32: w = scale * (q - 8). Streams: quants, eight in a u32 (byte b holds
// element b in its low and element 4 + b in its high nibble); scales, two in a u32.
//% include "shared/half.wgsl"
@group(0) @binding(${ weights }) var<storage, read> w_quants: array<u32>;
@group(0) @binding(${ weights + 1 }) var<storage, read> w_scales: array<u32>;

struct W8 { lo: vec4<f32>, hi: vec4<f32> }

fn load_w8(row: u32, unit: u32, units: u32) -> W8 {
    let q = w_quants[row * units + unit];
    let block = unit >> 2u;
    let pair = w_scales[row * ((units + 7u) >> 3u) + (block >> 1u)];
    let scale = half_to_float((pair >> ((block & 1u) * 16u)) & 0xffffu);
    let lo = vec4<f32>(unpack4xU8(q & 0x0f0f0f0fu)) - 8.0;
    let hi = vec4<f32>(unpack4xU8((q >> 4u) & 0x0f0f0f0fu)) - 8.0;
    return W8(scale * lo, scale * hi);
}
