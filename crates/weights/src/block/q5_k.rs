//! Q5_K: `d` and `dmin` f16, 12 bytes of six-bit scales and minima, 32 bytes of high bits, 128
//! bytes of nibbles. Value `d * scale * q - dmin * min`, scale and minimum per 32 elements.

use super::f16_at;
use super::q4_k::scale_min;

pub(super) fn dequantize(block: &[u8; 176], out: &mut [f32; 256]) {
    let d = f16_at(block, 0);
    let dmin = f16_at(block, 2);
    let (scales, qh, qs) = (&block[4..16], &block[16..48], &block[48..]);
    for (b, out) in out.as_chunks_mut::<32>().0.iter_mut().enumerate() {
        let (scale, min) = scale_min(scales, b);
        let (scale, min) = (d * f32::from(scale), dmin * f32::from(min));
        let shift = b % 2 * 4;
        for ((out, &q), &h) in out.iter_mut().zip(&qs[b / 2 * 32..]).zip(qh) {
            let q = q >> shift & 15 | (h >> b & 1) << 4;
            *out = scale * f32::from(q) - min;
        }
    }
}
