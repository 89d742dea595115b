//! IQ4_NL: `d` f16, then 16 bytes of nibbles; the low nibbles are elements 0..16, the high 16..32.
//! Value `d * VALUES[nibble]`.

use super::{f16_at, inverse, nibbles, put_f16, put_nibbles, search};

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

pub(super) fn quantize(values: &[f32; 32], block: &mut [u8; 18]) {
    put_f16(block, 0, scale(values));
    put_nibbles(&quants_of(values, f16_at(block, 0)), &mut block[2..]);
}

/// The scale that suits 32 values. Shared with IQ4_XS.
pub(super) fn scale(values: &[f32; 32]) -> f32 {
    search::scale(values, f32::from(VALUES[0]), 7.0, |v| f32::from(VALUES[usize::from(nearest(v))]))
}

/// The levels of 32 values under a scale. Shared with IQ4_XS.
pub(super) fn quants_of(values: &[f32; 32], scale: f32) -> [u8; 32] {
    let inverse = inverse(scale);
    values.map(|v| nearest(v * inverse))
}

/// The place in [`VALUES`] of the level nearest to a number.
fn nearest(v: f32) -> u8 {
    // As many levels as there are middles below.
    VALUES.windows(2).map(|pair| u8::from(2.0 * v > f32::from(pair[0]) + f32::from(pair[1]))).sum()
}
