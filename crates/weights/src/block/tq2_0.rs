//! TQ2_0: 64 bytes of bit pairs, `d` f16. Value `d * (q - 1)`.

use super::f16_at;
use super::q2_k::quarter;

pub(super) fn dequantize(block: &[u8; 66], out: &mut [f32; 256]) {
    let d = f16_at(block, 64);
    for (s, out) in out.as_chunks_mut::<16>().0.iter_mut().enumerate() {
        let (half, shift, first) = quarter(s);
        let qs = &block[32 * half + first..][..16];
        for (out, &q) in out.iter_mut().zip(qs) {
            *out = d * f32::from((q >> shift & 3) as i8 - 1);
        }
    }
}
