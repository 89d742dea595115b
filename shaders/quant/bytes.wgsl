// Quants of a byte each, a unit of 8 in two words, "unpack" turning a word into four. Two units can be loaded at once.
//% if span > 1
alias Words = vec4<u32>;
@group(0) @binding(${ weights }) var<storage, read> w_quants: array<Words>;
//% else
@group(0) @binding(${ weights }) var<storage, read> w_quants: array<vec2<u32>>;
//% endif

struct W8 { lo: vec4<f32>, hi: vec4<f32> }

//% if span > 1
fn load_words(row: u32, unit: u32, units: u32) -> Words {
    return w_quants[(row * units + unit) / 2u];
}

fn quants_of(words: Words, at: u32) -> W8 {
    return W8(vec4<f32>(${ unpack }(words[2u * at])), vec4<f32>(${ unpack }(words[2u * at + 1u])));
}
//% else
fn load_quants(row: u32, unit: u32, units: u32) -> W8 {
    let q = w_quants[row * units + unit];
    return W8(vec4<f32>(${ unpack }(q.x)), vec4<f32>(${ unpack }(q.y)));
}
//% endif
