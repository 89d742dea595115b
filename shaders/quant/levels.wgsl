// Nibbles that choose one of 16 levels: int8, four in a u32 of "levels".
@group(0) @binding(${ weights }) var<storage, read> w_low: array<u32>;

struct W8 { lo: vec4<f32>, hi: vec4<f32> }

fn level(nibbles: u32) -> vec4<f32> {
    let n = vec4<u32>(unpack4xU8(nibbles & 0x0f0f0f0fu));
    let odd = (n & vec4(4u)) != vec4(0u);
    let below = select(vec4(${ levels[0] }u), vec4(${ levels[1] }u), odd);
    let above = select(vec4(${ levels[2] }u), vec4(${ levels[3] }u), odd);
    let four = select(below, above, n >= vec4(8u));
    // an arithmetic shift down extends the sign
    return vec4<f32>(bitcast<vec4<i32>>(four << (vec4(24u) - (n & vec4(3u)) * 8u)) >> vec4(24u));
}

fn load_levels(row: u32, unit: u32, units: u32) -> W8 {
    let nibbles = w_low[row * units + unit];
    return W8(level(nibbles), level(nibbles >> 4u));
}
