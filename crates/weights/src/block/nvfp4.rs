//! NVFP4: 4 unsigned e4m3 scales, then 32 bytes of 4-bit floats in four parts of 16 elements; of
//! each part's 8 bytes the low nibbles are elements 0..8, the high 8..16. Value `scale * float`.
//! Converted models keep a further factor per tensor in a tensor of its own.

use super::float::e4m3;
use super::mxfp4::DOUBLED_E2M1;

pub(super) fn dequantize(block: &[u8; 36], out: &mut [f32; 64]) {
    let (scales, qs) = block.split_at(4);
    for (s, out) in out.as_chunks_mut::<16>().0.iter_mut().enumerate() {
        // Halved, as the floats are doubled.
        let scale = match scales[s] {
            0x7F => 0.0,
            byte => e4m3(byte & 0x7F) * 0.5,
        };
        for (i, &b) in qs[8 * s..8 * s + 8].iter().enumerate() {
            out[i] = scale * f32::from(DOUBLED_E2M1[usize::from(b & 15)]);
            out[i + 8] = scale * f32::from(DOUBLED_E2M1[usize::from(b >> 4)]);
        }
    }
}
