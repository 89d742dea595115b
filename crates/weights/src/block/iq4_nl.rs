//! IQ4_NL: `d` f16, then 16 bytes of nibbles; the low nibbles are elements 0..16, the high 16..32.
//! Value `d * VALUES[nibble]`.

use super::{f16_at, nibbles};

/// 16 levels, denser around zero. Shared with IQ4_XS.
pub(crate) const VALUES: [i8; 16] =
    [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];

pub(crate) fn quants(block: &[u8; 18]) -> [u8; 32] {
    nibbles(&block[2..])
}

pub(super) fn dequantize(block: &[u8; 18], out: &mut [f32; 32]) {
    let d = f16_at(block, 0);
    *out = quants(block).map(|q| d * f32::from(VALUES[usize::from(q)]));
}
