//! Q5_1: `d` and `m` f16, 32 high bits, then 16 bytes of nibbles; the low nibbles are elements
//! 0..16, the high 16..32. Value `d * q + m`.

use super::{f16_at, inverse, min_max, nibbles, put_f16};

pub(crate) fn quants(block: &[u8; 24]) -> [u8; 32] {
    take_quants(&block[4..])
}

pub(super) fn dequantize(block: &[u8; 24], out: &mut [f32; 32]) {
    let d = f16_at(block, 0);
    let m = f16_at(block, 2);
    *out = quants(block).map(|q| d * f32::from(q) + m);
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

/// The inverse of [`put_quants`].
pub(super) fn take_quants(bytes: &[u8]) -> [u8; 32] {
    let mut quants = nibbles(&bytes[4..]);
    let high = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    for (i, q) in quants.iter_mut().enumerate() {
        *q |= (high >> i & 1) as u8 * 16;
    }
    quants
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
