//! Q5_0: `d` f16, 32 high bits, then 16 bytes of nibbles; the low nibbles are elements 0..16, the
//! high 16..32. Value `d * (q - 16)`.

use super::{f16_at, inverse, put_f16, signed_max};

pub(super) fn dequantize(block: &[u8; 22], out: &mut [f32; 32]) {
    let d = f16_at(block, 0);
    let qh = u32::from_le_bytes([block[2], block[3], block[4], block[5]]);
    let value = |nibble: u8, i: usize| {
        let high = (qh >> i & 1) as u8;
        d * f32::from((nibble | high << 4) as i8 - 16)
    };
    for (i, &b) in block[6..].iter().enumerate() {
        out[i] = value(b & 15, i);
        out[i + 16] = value(b >> 4, i + 16);
    }
}

/// The value of largest magnitude becomes -16 exactly.
pub(super) fn quantize(values: &[f32; 32], block: &mut [u8; 22]) {
    let d = signed_max(values) / -16.0;
    let id = inverse(d);
    put_f16(block, 0, d);
    let q = values.map(|v| ((v * id + 16.5) as u8).min(31));
    super::q5_1::put_quants(&q, &mut block[2..]);
}
