// Quants of 4 + "high" bits with an f16 scale and, above it in a u32, an f16 minimum per 32: w = scale * q + min.
//% include "shared/half.wgsl"
//% include "quant/planes.wgsl"
@group(0) @binding(${ weights + 1 + high }) var<storage, read> w_scales: array<u32>;

fn load_w8(row: u32, unit: u32, units: u32) -> W8 {
    let q = load_quants(row, unit, units);
    let pair = w_scales[row * (units >> 2u) + (unit >> 2u)];
    let scale = half_to_float(pair & 0xffffu);
    let low = half_to_float(pair >> 16u);
    return W8(scale * q.lo + low, scale * q.hi + low);
}
