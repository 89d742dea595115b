// Float32 weights: one stream, eight elements are two vec4.
@group(0) @binding(${ weights }) var<storage, read> w_values: array<vec4<f32>>;

struct W8 { lo: vec4<f32>, hi: vec4<f32> }

fn load_w8(row: u32, unit: u32, units: u32) -> W8 {
    let i = (row * units + unit) * 2u;
    return W8(w_values[i], w_values[i + 1u]);
}
