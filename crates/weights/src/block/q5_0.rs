//! Q5_0: `d` f16, 32 high bits, then 16 bytes of nibbles; the low nibbles are elements 0..16, the
//! high 16..32. Value `d * (q - 16)`.

use super::{f16_at, inverse, put_f16, signed_max};

pub(crate) fn quants(block: &[u8; 22]) -> [u8; 32] {
    super::q5_1::take_quants(&block[2..])
}

pub(super) fn dequantize(block: &[u8; 22], out: &mut [f32; 32]) {
    let d = f16_at(block, 0);
    *out = quants(block).map(|q| d * f32::from(q as i8 - 16));
}

/// The value of largest magnitude becomes -16 exactly.
pub(super) fn quantize(values: &[f32; 32], block: &mut [u8; 22]) {
    let d = signed_max(values) / -16.0;
    let id = inverse(d);
    put_f16(block, 0, d);
    let q = values.map(|v| ((v * id + 16.5) as u8).min(31));
    super::q5_1::put_quants(&q, &mut block[2..]);
}
