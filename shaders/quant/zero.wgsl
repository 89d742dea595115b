// Quants of "bits" 4 or 8 in groups of 8 << "shift" columns, each with a u32: a 16-bit scale (bfloat16 if bit 31 is set,
// else f16) and, above it, a zero point. w = scale * (q - zero).
//% include "shared/half.wgsl"
//% if bits == 4
//% set low = 4
//% set high = 0
//% include "quant/planes.wgsl"
//% else
//% set unpack = "unpack4xU8"
//% include "quant/bytes.wgsl"
//% endif
@group(0) @binding(${ weights + 1 }) var<storage, read> w_groups: array<u32>;

struct Scale { scale: f32, zero: f32 }

fn load_scale(row: u32, unit: u32, units: u32) -> Scale {
    let group = w_groups[row * ((units + ${ (2 ** shift) - 1 }u) >> ${ shift }u) + (unit >> ${ shift }u)];
    let scale = select(half_to_float(group & 0xffffu), bitcast<f32>(group << 16u), group >= 0x80000000u);
    return Scale(scale, f32((group >> 16u) & 0xffu));
}

fn scaled(q: W8, by: Scale) -> W8 {
    return W8(by.scale * (q.lo - by.zero), by.scale * (q.hi - by.zero));
}
//% include "quant/load.wgsl"
