//! MXFP4: an exponent, then 16 bytes of 4-bit floats; the low nibbles are elements 0..16, the high
//! 16..32. Value `2^(e - 127) * float`.

use super::nibbles;

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
