// Integer quants in one or two streams of bit planes, as weights/src/layout lays them: bits 8 (j % 4) + n (2 u + j / 4)
// on of a word with n bits an element hold element j of its unit u, so that masking a word gives four neighbours in
// order. "low" is the number of bits of the first stream; "high" that of the second, which lie above them. Nibbles alone
// can be loaded for "span" units at once.
//% if span > 1
alias Words = vec${ span }<u32>;
@group(0) @binding(${ weights }) var<storage, read> w_low: array<Words>;
//% else
@group(0) @binding(${ weights }) var<storage, read> w_low: array<u32>;
//% endif
//% if high > 0
@group(0) @binding(${ weights + 1 }) var<storage, read> w_high: array<u32>;
//% endif

struct W8 { lo: vec4<f32>, hi: vec4<f32> }

//% if span > 1
fn load_words(row: u32, unit: u32, units: u32) -> Words {
    return w_low[(row * units + unit) / ${ span }u];
}

fn quants_of(words: Words, at: u32) -> W8 {
    let low = words[at];
    return W8(vec4<f32>(unpack4xU8(low & 0x0f0f0f0fu)), vec4<f32>(unpack4xU8((low >> 4u) & 0x0f0f0f0fu)));
}
//% else
fn load_quants(row: u32, unit: u32, units: u32) -> W8 {
//% if low == 4
    let low = w_low[row * units + unit];
    var lo = low & 0x0f0f0f0fu;
    var hi = (low >> 4u) & 0x0f0f0f0fu;
//% else
    let low = w_low[row * (units >> 1u) + (unit >> 1u)] >> ((unit & 1u) * 4u);
    var lo = low & 0x03030303u;
    var hi = (low >> 2u) & 0x03030303u;
//% endif
//% if high == 1
    let high = w_high[row * (units >> 2u) + (unit >> 2u)] >> ((unit & 3u) * 2u);
    lo |= (high & 0x01010101u) << ${ low }u;
    hi |= ((high >> 1u) & 0x01010101u) << ${ low }u;
//% elif high == 2
    let high = w_high[row * (units >> 1u) + (unit >> 1u)] >> ((unit & 1u) * 4u);
    lo |= (high & 0x03030303u) << ${ low }u;
    hi |= ((high >> 2u) & 0x03030303u) << ${ low }u;
//% endif
    return W8(vec4<f32>(unpack4xU8(lo)), vec4<f32>(unpack4xU8(hi)));
}
//% endif
