// Quants of 4 + "high" bits with one f16 scale per 32, two scales in a u32: w = scale * (q - zero).
//% include "shared/half.wgsl"
//% include "quant/planes.wgsl"
@group(0) @binding(${ weights + 1 + high }) var<storage, read> w_scales: array<u32>;

alias Scale = f32;

fn load_scale(row: u32, unit: u32, units: u32) -> Scale {
    let block = unit >> 2u;
    let pair = w_scales[row * ((units + 7u) >> 3u) + (block >> 1u)];
    return half_to_float((pair >> ((block & 1u) * 16u)) & 0xffffu);
}

fn scaled(q: W8, scale: Scale) -> W8 {
    return W8(scale * (q.lo - ${ 8 * (high + 1) }.0), scale * (q.hi - ${ 8 * (high + 1) }.0));
}
//% include "quant/load.wgsl"
