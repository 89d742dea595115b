// 8-bit weights with one f16 scale per 32: w = scale * q. Streams: int8 quants, four in a u32; scales, two in a u32.
//% include "shared/half.wgsl"
//% set unpack = "unpack4xI8"
//% include "quant/bytes.wgsl"
@group(0) @binding(${ weights + 1 }) var<storage, read> w_scales: array<u32>;

alias Scale = f32;

fn load_scale(row: u32, unit: u32, units: u32) -> Scale {
    let block = unit >> 2u;
    let pair = w_scales[row * ((units + 7u) >> 3u) + (block >> 1u)];
    return half_to_float((pair >> ((block & 1u) * 16u)) & 0xffffu);
}

fn scaled(q: W8, scale: Scale) -> W8 {
    return W8(scale * q.lo, scale * q.hi);
}
//% include "quant/load.wgsl"
