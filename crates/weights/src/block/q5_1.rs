//! Q5_1: `d` and `m` f16, 32 high bits, then 16 bytes of nibbles; the low nibbles are elements
//! 0..16, the high 16..32. Value `d * q + m`.

use super::{f16_at, inverse, min_max, put_f16};

pub(super) fn dequantize(block: &[u8; 24], out: &mut [f32; 32]) {
    let d = f16_at(block, 0);
    let m = f16_at(block, 2);
    let qh = u32::from_le_bytes([block[4], block[5], block[6], block[7]]);
    let value = |nibble: u8, i: usize| {
        let high = (qh >> i & 1) as u8;
        d * f32::from(nibble | high << 4) + m
    };
    for (i, &b) in block[8..].iter().enumerate() {
        out[i] = value(b & 15, i);
        out[i + 16] = value(b >> 4, i + 16);
    }
}

pub(super) fn quantize(values: &[f32; 32], block: &mut [u8; 24]) {
    let (min, max) = min_max(values);
    let d = (max - min) / 31.0;
    let id = inverse(d);
    put_f16(block, 0, d);
    put_f16(block, 2, min);
    // ggml does not clamp here: rounding cannot leave 0..=31, and the high bit is masked.
    let q = values.map(|v| ((v - min) * id + 0.5) as u8 & 31);
    put_quants(&q, &mut block[4..]);
}

/// Stores 32 five-bit quants as 4 bytes of high bits and 16 bytes of nibbles.
pub(super) fn put_quants(q: &[u8; 32], out: &mut [u8]) {
    let mut qh = 0u32;
    for (i, &q) in q.iter().enumerate() {
        qh |= u32::from(q >> 4) << i;
    }
    out[..4].copy_from_slice(&qh.to_le_bytes());
    for i in 0..16 {
        out[4 + i] = q[i] & 15 | (q[i + 16] & 15) << 4;
    }
}
