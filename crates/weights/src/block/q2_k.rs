//! Q2_K: 16 bytes of scale and minimum nibbles, 64 bytes of quants, `d` and `dmin` f16.
//! Value `d * scale * q - dmin * min`, scale and minimum per 16 elements.

use super::f16_at;

pub(super) fn dequantize(block: &[u8; 84], out: &mut [f32; 256]) {
    let (scales, qs) = (&block[..16], &block[16..80]);
    let d = f16_at(block, 80);
    let dmin = f16_at(block, 82);
    for (s, out) in out.as_chunks_mut::<16>().0.iter_mut().enumerate() {
        let scale = d * f32::from(scales[s] & 15);
        let min = dmin * f32::from(scales[s] >> 4);
        let (half, shift, first) = quarter(s);
        let qs = &qs[32 * half + first..][..16];
        for (out, &q) in out.iter_mut().zip(qs) {
            *out = scale * f32::from(q >> shift & 3) - min;
        }
    }
}

/// Where the two-bit quants of the 16 elements `s` lie, for the K formats: which half of 128
/// elements, how far the byte is shifted, and the first byte of the half's 32.
pub(super) fn quarter(s: usize) -> (usize, usize, usize) {
    (s / 8, s % 8 / 2 * 2, s % 2 * 16)
}
