//! Q6_K: 128 bytes of nibbles, 64 bytes of high bit pairs, 16 signed scales, `d` f16.
//! Value `d * scale * (q - 32)`, scale per 16 elements.

use super::f16_at;

pub(super) fn dequantize(block: &[u8; 210], out: &mut [f32; 256]) {
    let (ql, qh, scales) = (&block[..128], &block[128..192], &block[192..208]);
    let d = f16_at(block, 208);
    for (s, out) in out.as_chunks_mut::<16>().0.iter_mut().enumerate() {
        let scale = d * f32::from(scales[s] as i8);
        // Of each 128 elements: the part of 32, and the half of that part.
        let (half, part, first) = (s / 8, s % 8 / 2, s % 2 * 16);
        let ql = &ql[64 * half + part % 2 * 32 + first..][..16];
        let qh = &qh[32 * half + first..][..16];
        for ((out, &l), &h) in out.iter_mut().zip(ql).zip(qh) {
            let q = (l >> (part / 2 * 4) & 15) | (h >> (2 * part) & 3) << 4;
            *out = scale * f32::from(q as i8 - 32);
        }
    }
}
