// Quants of 4 + "high" bits with an f16 scale and, above it in a u32, an f16 minimum per 32: w = scale * q + min.
//% include "shared/half.wgsl"
//% include "quant/planes.wgsl"
@group(0) @binding(${ weights + 1 + high }) var<storage, read> w_scales: array<u32>;

struct Scale { scale: f32, low: f32 }

fn load_scale(row: u32, unit: u32, units: u32) -> Scale {
    let pair = w_scales[row * (units >> 2u) + (unit >> 2u)];
    return Scale(half_to_float(pair & 0xffffu), half_to_float(pair >> 16u));
}

fn scaled(q: W8, by: Scale) -> W8 {
    return W8(by.scale * q.lo + by.low, by.scale * q.hi + by.low);
}
//% include "quant/load.wgsl"
