// Float16 weights: one stream of packed pairs, low half first.
@group(0) @binding(${ weights }) var<storage, read> w_values: array<vec4<u32>>;

struct W8 { lo: vec4<f32>, hi: vec4<f32> }

fn load_w8(row: u32, unit: u32, units: u32) -> W8 {
    let v = w_values[row * units + unit];
    return W8(
        vec4(unpack2x16float(v.x), unpack2x16float(v.y)),
        vec4(unpack2x16float(v.z), unpack2x16float(v.w)),
    );
}
