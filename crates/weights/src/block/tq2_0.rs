//! TQ2_0: 64 bytes of bit pairs, `d` f16. Value `d * (q - 1)`.

use super::f16_at;
use super::q2_k::pairs;

pub(super) fn dequantize(block: &[u8; 66], out: &mut [f32; 256]) {
    let d = f16_at(block, 64);
    *out = pairs(&block[..64]).map(|q| d * f32::from(q as i8 - 1));
}
