//! Q3_K: 32 bytes of high bits, 64 bytes of low bit pairs, 12 bytes of six-bit scales, `d` f16.
//! Value `d * (scale - 32) * (q - 4)`, scale per 16 elements.

use super::f16_at;
use super::q2_k::quarter;

pub(super) fn dequantize(block: &[u8; 110], out: &mut [f32; 256]) {
    let (hmask, qs, scales) = (&block[..32], &block[32..96], &block[96..108]);
    let d = f16_at(block, 108);
    for (s, out) in out.as_chunks_mut::<16>().0.iter_mut().enumerate() {
        let low = scales[s % 8] >> (s / 8 * 4) & 15;
        let high = scales[8 + s % 4] >> (s / 4 * 2) & 3;
        let scale = d * f32::from((low | high << 4) as i8 - 32);
        let (half, shift, first) = quarter(s);
        let qs = &qs[32 * half + first..][..16];
        let hmask = &hmask[first..][..16];
        let high_bit = 4 * half + shift / 2;
        for ((out, &q), &h) in out.iter_mut().zip(qs).zip(hmask) {
            let q = (q >> shift & 3) | (h >> high_bit & 1) << 2;
            *out = scale * f32::from(q as i8 - 4);
        }
    }
}
