// IQ4NL: nibbles into the levels of IQ4_NL, one f16 scale per 32, two in a u32: w = scale * level.
//% set levels = ["0xbfad9881", "0xf6eaddcf", "0x26190d01", "0x71594535"]
//% include "shared/half.wgsl"
//% include "quant/levels.wgsl"
@group(0) @binding(${ weights + 1 }) var<storage, read> w_scales: array<u32>;

fn load_w8(row: u32, unit: u32, units: u32) -> W8 {
    let v = load_levels(row, unit, units);
    let block = unit >> 2u;
    let pair = w_scales[row * ((units + 7u) >> 3u) + (block >> 1u)];
    let scale = half_to_float((pair >> ((block & 1u) * 16u)) & 0xffffu);
    return W8(scale * v.lo, scale * v.hi);
}
