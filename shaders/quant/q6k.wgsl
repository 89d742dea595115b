// Q6K: nibbles, pairs of high bits, and five u32 per 256: sixteen int8 scales, one per 16, and an f16 d.
// w = (d * scale) * (q - 32).
//% set low = 4
//% set high = 2
//% include "shared/half.wgsl"
//% include "quant/planes.wgsl"
@group(0) @binding(${ weights + 2 }) var<storage, read> w_scales: array<u32>;

fn load_w8(row: u32, unit: u32, units: u32) -> W8 {
    let q = load_quants(row, unit, units);
    let block = (row * ((units + 31u) >> 5u) + (unit >> 5u)) * 5u;
    let part = (unit >> 1u) & 15u;
    let four = w_scales[block + (part >> 2u)];
    let scale = bitcast<i32>(four << (24u - (part & 3u) * 8u)) >> 24u;
    let d = half_to_float(w_scales[block + 4u] & 0xffffu) * f32(scale);
    return W8(d * (q.lo - 32.0), d * (q.hi - 32.0));
}
