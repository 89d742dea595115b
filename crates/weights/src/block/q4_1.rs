//! Q4_1: `d` and `m` f16, then 16 bytes of nibbles; the low nibbles are elements 0..16, the high
//! 16..32. Value `d * nibble + m`.

use super::{f16_at, inverse, min_max, nibbles, put_f16};

pub(crate) fn quants(block: &[u8; 20]) -> [u8; 32] {
    nibbles(&block[4..])
}

pub(super) fn dequantize(block: &[u8; 20], out: &mut [f32; 32]) {
    let d = f16_at(block, 0);
    let m = f16_at(block, 2);
    *out = quants(block).map(|q| d * f32::from(q) + m);
}

pub(super) fn quantize(values: &[f32; 32], block: &mut [u8; 20]) {
    let (min, max) = min_max(values);
    let d = (max - min) / 15.0;
    let id = inverse(d);
    let nibble = |v: f32| (((v - min) * id + 0.5) as u8).min(15);
    put_f16(block, 0, d);
    put_f16(block, 2, min);
    for i in 0..16 {
        block[4 + i] = nibble(values[i]) | nibble(values[i + 16]) << 4;
    }
}
