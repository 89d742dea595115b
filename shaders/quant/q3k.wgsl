// Q3K: pairs of low bits, high bits, and four u32 per 256: the twelve bytes of 6-bit scales of Q3_K, one per 16, and an
// f16 d. w = (d * (scale - 32)) * (q - 4).
//% set low = 2
//% set high = 1
//% include "shared/half.wgsl"
//% include "quant/planes.wgsl"
@group(0) @binding(${ weights + 2 }) var<storage, read> w_scales: array<vec4<u32>>;

fn load_w8(row: u32, unit: u32, units: u32) -> W8 {
    let q = load_quants(row, unit, units);
    let block = w_scales[row * ((units + 31u) >> 5u) + (unit >> 5u)];
    let part = (unit >> 1u) & 15u;
    let byte = (part & 3u) * 8u;
    // four low bits in bytes 0..8, parts 8..16 in their high nibbles; two high bits in bytes 8..12, from all quarters
    let low = (select(block.x, block.y, (part & 4u) != 0u) >> (byte + (part >> 3u) * 4u)) & 15u;
    let high = (block.z >> (byte + (part >> 2u) * 2u)) & 3u;
    let d = half_to_float(block.w & 0xffffu) * (f32(low | (high << 4u)) - 32.0);
    return W8(d * (q.lo - 4.0), d * (q.hi - 4.0));
}
