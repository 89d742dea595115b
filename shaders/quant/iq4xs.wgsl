// IQ4XS: nibbles into the levels of IQ4_NL, int8 scales per 32, f16 d per 256: w = (d * scale) * level.
//% set levels = ["0xbfad9881", "0xf6eaddcf", "0x26190d01", "0x71594535"]
//% include "shared/half.wgsl"
//% include "quant/levels.wgsl"
@group(0) @binding(${ weights + 1 }) var<storage, read> w_scales: array<u32>;
@group(0) @binding(${ weights + 2 }) var<storage, read> w_d: array<u32>;

fn load_w8(row: u32, unit: u32, units: u32) -> W8 {
    let v = load_levels(row, unit, units);
    let part = unit >> 2u;
    let four = w_scales[row * ((units + 15u) >> 4u) + (part >> 2u)];
    let scale = bitcast<i32>(four << (24u - (part & 3u) * 8u)) >> 24u;
    let block = unit >> 5u;
    let pair = w_d[row * ((units + 63u) >> 6u) + (block >> 1u)];
    let d = half_to_float((pair >> ((block & 1u) * 16u)) & 0xffffu) * f32(scale);
    return W8(d * v.lo, d * v.hi);
}
