//! Q2_K: 16 bytes of scale and minimum nibbles, 64 bytes of quants, `d` and `dmin` f16.
//! Value `d * scale * q - dmin * min`, scale and minimum per 16 elements.

use super::f16_at;

pub(crate) fn quants(block: &[u8; 84]) -> [u8; 256] {
    pairs(&block[16..80])
}

pub(super) fn dequantize(block: &[u8; 84], out: &mut [f32; 256]) {
    let d = f16_at(block, 80);
    let dmin = f16_at(block, 82);
    let quants = quants(block);
    for ((out, quants), &scale) in out.chunks_mut(16).zip(quants.chunks(16)).zip(&block[..16]) {
        let min = dmin * f32::from(scale >> 4);
        let scale = d * f32::from(scale & 15);
        for (out, &q) in out.iter_mut().zip(quants) {
            *out = scale * f32::from(q) - min;
        }
    }
}

/// The two-bit quants in 64 bytes, for the K formats and TQ2_0: of each 128 elements, the 32 bytes
/// hold the first 32 in their lowest bits, and so on.
pub(super) fn pairs(bytes: &[u8]) -> [u8; 256] {
    let mut quants = [0; 256];
    for (b, quants) in quants.chunks_mut(32).enumerate() {
        for (out, &byte) in quants.iter_mut().zip(&bytes[b / 4 * 32..]) {
            *out = byte >> (b % 4 * 2) & 3;
        }
    }
    quants
}
