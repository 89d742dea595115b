// Quants of 4 + "high" bits in blocks of 256, as Q4_K and Q5_K keep their scales: four u32 a block are f16 d and dmin, and
// twelve bytes of 6-bit scales and minima per 32. w = (d * scale) * q - dmin * min.
//% include "shared/half.wgsl"
//% include "quant/planes.wgsl"
@group(0) @binding(${ weights + 1 + high }) var<storage, read> w_scales: array<vec4<u32>>;

struct Scale { scale: f32, low: f32 }

fn load_scale(row: u32, unit: u32, units: u32) -> Scale {
    let block = w_scales[row * ((units + 31u) >> 5u) + (unit >> 5u)];
    let part = (unit >> 2u) & 7u;
    let s = (block.yzw >> vec3((part & 3u) * 8u)) & vec3(0xffu);
    // parts 4..8 have their low four bits in the last bytes, and the high two above those of the parts before
    let near = part < 4u;
    let scale = select((s.z & 15u) | ((s.x >> 6u) << 4u), s.x & 63u, near);
    let low = select((s.z >> 4u) | ((s.y >> 6u) << 4u), s.y & 63u, near);
    return Scale(half_to_float(block.x & 0xffffu) * f32(scale), half_to_float(block.x >> 16u) * f32(low));
}

fn scaled(q: W8, by: Scale) -> W8 {
    return W8(by.scale * q.lo - by.low, by.scale * q.hi - by.low);
}
//% include "quant/load.wgsl"
