// F8: e4m3 floats, four in a u32, and one f32 scale per 128: w = float * scale.
@group(0) @binding(${ weights }) var<storage, read> w_values: array<vec2<u32>>;
@group(0) @binding(${ weights + 1 }) var<storage, read> w_scales: array<f32>;

struct W8 { lo: vec4<f32>, hi: vec4<f32> }

fn e4m3(bytes: u32) -> vec4<f32> {
    let b = vec4<u32>(unpack4xU8(bytes));
    let magnitude = b & vec4(0x7fu);
    // same order of exponent and mantissa as in an f32, whose bias is 120 larger; below 8 they are multiples of 2^-9
    let normal = bitcast<vec4<f32>>((magnitude + vec4(960u)) << vec4(20u));
    let value = select(normal, vec4<f32>(magnitude) * 0.001953125, magnitude < vec4(8u));
    return select(value, -value, b > vec4(0x7fu));
}

fn load_w8(row: u32, unit: u32, units: u32) -> W8 {
    let v = w_values[row * units + unit];
    let scale = w_scales[row * ((units + 15u) >> 4u) + (unit >> 4u)];
    return W8(e4m3(v.x) * scale, e4m3(v.y) * scale);
}
