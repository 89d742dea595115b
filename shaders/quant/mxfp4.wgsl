// MXFP4: nibbles into the doubled values of e2m1, one exponent per 32, four in a u32: w = 2^(e - 128) * level. Devices
// may flush the products below 2^-126, which exponents under 2 can have.
//% set levels = ["0x03020100", "0x0c080604", "0xfdfeff00", "0xf4f8fafc"]
//% include "quant/levels.wgsl"
@group(0) @binding(${ weights + 1 }) var<storage, read> w_exponents: array<u32>;

fn load_w8(row: u32, unit: u32, units: u32) -> W8 {
    let v = load_levels(row, unit, units);
    let block = unit >> 2u;
    let e = (w_exponents[row * ((units + 15u) >> 4u) + (block >> 2u)] >> ((block & 3u) * 8u)) & 0xffu;
    let scale = bitcast<f32>(select((e - 1u) << 23u, 0x00200000u << (e & 1u), e < 2u));
    return W8(scale * v.lo, scale * v.hi);
}
