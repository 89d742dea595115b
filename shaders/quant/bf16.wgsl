// BFloat16 weights: one stream of packed pairs, low half first; a bf16 is the upper half of an f32.
@group(0) @binding(${ weights }) var<storage, read> w_values: array<vec4<u32>>;

struct W8 { lo: vec4<f32>, hi: vec4<f32> }

fn load_w8(row: u32, unit: u32, units: u32) -> W8 {
    let v = w_values[row * units + unit];
    let even = bitcast<vec4<f32>>(v << vec4(16u));
    let odd = bitcast<vec4<f32>>(v & vec4(0xffff0000u));
    return W8(vec4(even.x, odd.x, even.y, odd.y), vec4(even.z, odd.z, even.w, odd.w));
}
