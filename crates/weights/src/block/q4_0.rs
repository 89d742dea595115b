//! Q4_0: `d` f16, then 16 bytes of nibbles; the low nibbles are elements 0..16, the high 16..32.
//! Value `d * (nibble - 8)`.

use super::{f16_at, inverse, nibbles, put_f16, signed_max};

pub(crate) fn quants(block: &[u8; 18]) -> [u8; 32] {
    nibbles(&block[2..])
}

pub(super) fn dequantize(block: &[u8; 18], out: &mut [f32; 32]) {
    let d = f16_at(block, 0);
    *out = quants(block).map(|q| d * f32::from(q as i8 - 8));
}

/// The value of largest magnitude becomes -8 exactly.
pub(super) fn quantize(values: &[f32; 32], block: &mut [u8; 18]) {
    let d = signed_max(values) / -8.0;
    let id = inverse(d);
    let nibble = |v: f32| ((v * id + 8.5) as u8).min(15);
    put_f16(block, 0, d);
    for i in 0..16 {
        block[2 + i] = nibble(values[i]) | nibble(values[i + 16]) << 4;
    }
}
