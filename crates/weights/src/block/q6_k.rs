//! Q6_K: 128 bytes of nibbles, 64 bytes of high bit pairs, 16 signed scales, `d` f16.
//! Value `d * scale * (q - 32)`, scale per 16 elements.

use super::f16_at;

pub(crate) fn quants(block: &[u8; 210]) -> [u8; 256] {
    let (low, high) = (&block[..128], &block[128..192]);
    let mut quants = [0; 256];
    for (b, quants) in quants.chunks_mut(32).enumerate() {
        // Of each 128 elements, the part of 32.
        let (half, part) = (b / 4, b % 4);
        let low = &low[64 * half + part % 2 * 32..];
        let high = &high[32 * half..];
        for ((out, &low), &high) in quants.iter_mut().zip(low).zip(high) {
            *out = low >> (part / 2 * 4) & 15 | (high >> (2 * part) & 3) << 4;
        }
    }
    quants
}

pub(super) fn dequantize(block: &[u8; 210], out: &mut [f32; 256]) {
    let d = f16_at(block, 208);
    let quants = quants(block);
    for ((out, quants), &scale) in out.chunks_mut(16).zip(quants.chunks(16)).zip(&block[192..208]) {
        let scale = d * f32::from(scale as i8);
        for (out, &q) in out.iter_mut().zip(quants) {
            *out = scale * f32::from(q as i8 - 32);
        }
    }
}
