// Quants of "bits" 4 or 8 in groups of 8 << "shift" columns, each with a u32: a 16-bit scale (bfloat16 if bit 31 is set,
// else f16) and, above it, a zero point. w = scale * (q - zero).
//% include "shared/half.wgsl"
//% if bits == 4
//% set low = 4
//% set high = 0
//% include "quant/planes.wgsl"
//% else
@group(0) @binding(${ weights }) var<storage, read> w_quants: array<vec2<u32>>;

struct W8 { lo: vec4<f32>, hi: vec4<f32> }

fn load_quants(row: u32, unit: u32, units: u32) -> W8 {
    let q = w_quants[row * units + unit];
    return W8(vec4<f32>(unpack4xU8(q.x)), vec4<f32>(unpack4xU8(q.y)));
}
//% endif
@group(0) @binding(${ weights + 1 }) var<storage, read> w_groups: array<u32>;

fn load_w8(row: u32, unit: u32, units: u32) -> W8 {
    let q = load_quants(row, unit, units);
    let group = w_groups[row * ((units + ${ (2 ** shift) - 1 }u) >> ${ shift }u) + (unit >> ${ shift }u)];
    let scale = select(half_to_float(group & 0xffffu), bitcast<f32>(group << 16u), group >= 0x80000000u);
    let zero = f32((group >> 16u) & 0xffu);
    return W8(scale * (q.lo - zero), scale * (q.hi - zero));
}
