//! MXFP4: an exponent, then 16 bytes of 4-bit floats; the low nibbles are elements 0..16, the high
//! 16..32. Value `2^(e - 127) * float`.

use super::{nibbles, put_nibbles, signed_max};

/// The values of e2m1, doubled so that they are whole. Shared with NVFP4.
pub(crate) const DOUBLED_E2M1: [i8; 16] = [0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12];

pub(crate) fn quants(block: &[u8; 17]) -> [u8; 32] {
    nibbles(&block[1..])
}

pub(super) fn dequantize(block: &[u8; 17], out: &mut [f32; 32]) {
    let scale = half_power_of_two(block[0]);
    *out = quants(block).map(|q| scale * f32::from(DOUBLED_E2M1[usize::from(q)]));
}

/// `2^(e - 128)`: half of what the exponent says, as the floats are doubled.
pub(crate) fn half_power_of_two(e: u8) -> f32 {
    match e {
        // Below the smallest normal number.
        0 => f32::from_bits(0x0020_0000),
        1 => f32::from_bits(0x0040_0000),
        _ => f32::from_bits((u32::from(e) - 1) << 23),
    }
}

/// The exponent that leaves the smaller squared error of two: under one the largest value may have to be cut, under
/// the other it never is.
pub(super) fn quantize(values: &[f32; 32], block: &mut [u8; 17]) {
    // 6 is the largest float: the exponent of the largest value less 2, or one more.
    let exponent = (signed_max(values).to_bits() >> 23 & 0xFF) as u8;
    let attempt = |e: u8| {
        let scale = half_power_of_two(e);
        let quants = values.map(|v| nearest(v / scale));
        let error: f32 = values
            .iter()
            .zip(quants)
            .map(|(v, q)| (v - scale * f32::from(DOUBLED_E2M1[usize::from(q)])).powi(2))
            .sum();
        (error, e, quants)
    };
    let (low, high) = (attempt(exponent.saturating_sub(2)), attempt(exponent.saturating_sub(1)));
    let (_, e, quants) = if high.0 < low.0 { high } else { low };
    block[0] = e;
    put_nibbles(&quants, &mut block[1..]);
}

/// The place in [`DOUBLED_E2M1`] of the float nearest to a number.
fn nearest(v: f32) -> u8 {
    let magnitude: u8 = DOUBLED_E2M1[..8]
        .windows(2)
        .map(|pair| u8::from(2.0 * v.abs() > f32::from(pair[0]) + f32::from(pair[1])))
        .sum();
    if v < 0.0 { magnitude | 8 } else { magnitude }
}
