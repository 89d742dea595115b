//! Q3_K: 32 bytes of high bits, 64 bytes of low bit pairs, 12 bytes of six-bit scales, `d` f16.
//! Value `d * (scale - 32) * (q - 4)`, scale per 16 elements.

use super::f16_at;
use super::q2_k::pairs;

pub(crate) fn quants(block: &[u8; 110]) -> [u8; 256] {
    let mut quants = pairs(&block[32..96]);
    for (b, quants) in quants.chunks_mut(32).enumerate() {
        for (out, &high) in quants.iter_mut().zip(&block[..32]) {
            *out |= (high >> b & 1) << 2;
        }
    }
    quants
}

/// The scale of the 16 elements `s`, from the 12 bytes of all, with its sign.
pub(crate) fn scale(scales: &[u8], s: usize) -> i8 {
    let low = scales[s % 8] >> (s / 8 * 4) & 15;
    let high = scales[8 + s % 4] >> (s / 4 * 2) & 3;
    (low | high << 4) as i8 - 32
}

pub(super) fn dequantize(block: &[u8; 110], out: &mut [f32; 256]) {
    let d = f16_at(block, 108);
    let quants = quants(block);
    for (s, (out, quants)) in out.chunks_mut(16).zip(quants.chunks(16)).enumerate() {
        let scale = d * f32::from(scale(&block[96..108], s));
        for (out, &q) in out.iter_mut().zip(quants) {
            *out = scale * f32::from(q as i8 - 4);
        }
    }
}
