// Q2K: pairs of bits, and five u32 per 256: sixteen bytes, one per 16, with a scale in the low and a minimum in the high
// nibble, and f16 d and dmin. w = (d * scale) * q - dmin * min.
//% set low = 2
//% set high = 0
//% include "shared/half.wgsl"
//% include "quant/planes.wgsl"
@group(0) @binding(${ weights + 1 }) var<storage, read> w_scales: array<u32>;

fn load_w8(row: u32, unit: u32, units: u32) -> W8 {
    let q = load_quants(row, unit, units);
    let block = (row * ((units + 31u) >> 5u) + (unit >> 5u)) * 5u;
    let part = (unit >> 1u) & 15u;
    let s = w_scales[block + (part >> 2u)] >> ((part & 3u) * 8u);
    let halves = w_scales[block + 4u];
    let d = half_to_float(halves & 0xffffu) * f32(s & 15u);
    let m = half_to_float(halves >> 16u) * f32((s >> 4u) & 15u);
    return W8(d * q.lo - m, d * q.hi - m);
}
