//! Q5_K: `d` and `dmin` f16, 12 bytes of six-bit scales and minima, 32 bytes of high bits, 128
//! bytes of nibbles. Value `d * scale * q - dmin * min`, scale and minimum per 32 elements.

use super::q4_k::{dequantize_parts, quantize_parts};

pub(crate) fn quants(block: &[u8; 176]) -> [u8; 256] {
    let (high, low) = (&block[16..48], &block[48..]);
    let mut quants = [0; 256];
    for (b, quants) in quants.chunks_mut(32).enumerate() {
        let shift = b % 2 * 4;
        for ((out, &low), &high) in quants.iter_mut().zip(&low[b / 2 * 32..]).zip(high) {
            *out = low >> shift & 15 | (high >> b & 1) << 4;
        }
    }
    quants
}

pub(super) fn dequantize(block: &[u8; 176], out: &mut [f32; 256]) {
    dequantize_parts(&block[..16], &quants(block), out);
}

pub(super) fn quantize(values: &[f32; 256], block: &mut [u8; 176]) {
    let quants = quantize_parts(values, 31, &mut block[..16]);
    block[16..].fill(0);
    let (high, low) = block[16..].split_at_mut(32);
    for (b, quants) in quants.chunks(32).enumerate() {
        let shift = b % 2 * 4;
        for ((&q, low), high) in quants.iter().zip(&mut low[b / 2 * 32..]).zip(&mut *high) {
            *low |= (q & 15) << shift;
            *high |= (q >> 4) << b;
        }
    }
}
