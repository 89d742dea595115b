//! Numbers that stand alone.

use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};

pub(super) fn from_f32(bytes: &[u8; 4], out: &mut [f32; 1]) {
    out[0] = f32::from_le_bytes(*bytes);
}

/// In pieces, because the CPU's conversion of eight halves at once is worth having.
pub(super) fn from_f16(bytes: &[u8], out: &mut [f32]) {
    let mut halves = [f16::ZERO; 512];
    for (bytes, out) in bytes.chunks(2 * halves.len()).zip(out.chunks_mut(halves.len())) {
        let halves = &mut halves[..out.len()];
        for (half, &pair) in halves.iter_mut().zip(bytes.as_chunks().0) {
            *half = f16::from_le_bytes(pair);
        }
        halves.convert_to_f32_slice(out);
    }
}

pub(super) fn from_bf16(bytes: &[u8; 2], out: &mut [f32; 1]) {
    out[0] = bf16::from_le_bytes(*bytes).to_f32();
}

/// Rounds to the nearest `f32`.
pub(super) fn from_f64(bytes: &[u8; 8], out: &mut [f32; 1]) {
    out[0] = f64::from_le_bytes(*bytes) as f32;
}

pub(super) fn from_e4m3(bytes: &[u8; 1], out: &mut [f32; 1]) {
    out[0] = e4m3(bytes[0]);
}

/// An 8-bit float with 4 exponent bits (bias 7), 3 mantissa bits, no infinities, and NaN for the
/// largest magnitude ("e4m3fn" of the OCP 8-bit floating point specification).
pub(crate) fn e4m3(byte: u8) -> f32 {
    let sign = u32::from(byte & 0x80) << 24;
    let magnitude = u32::from(byte & 0x7F);
    let bits = match magnitude {
        0x7F => 0x7FC0_0000,
        // A multiple of 2^-9, which an f32 holds as a normal number.
        0..=7 => (magnitude as f32 / 512.0).to_bits(),
        // Same order of exponent and mantissa as in an f32, whose bias is 120 larger.
        _ => (magnitude + (120 << 3)) << 20,
    };
    f32::from_bits(sign | bits)
}

pub(super) fn to_f32(values: &[f32; 1], out: &mut [u8; 4]) {
    *out = values[0].to_le_bytes();
}

pub(super) fn to_f16(values: &[f32; 1], out: &mut [u8; 2]) {
    *out = f16::from_f32(values[0]).to_le_bytes();
}

pub(super) fn to_bf16(values: &[f32; 1], out: &mut [u8; 2]) {
    *out = bf16::from_f32(values[0]).to_le_bytes();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e4m3_values_are_those_of_the_ocp_specification() {
        let known = [
            (0x00, 0.0),
            (0x01, 1.0 / 512.0),
            (0x07, 0.013_671_875),
            (0x08, 0.015_625),
            (0x30, 0.5),
            (0x38, 1.0),
            (0x39, 1.125),
            (0x7E, 448.0),
            (0xB8, -1.0),
        ];
        for (byte, value) in known {
            assert_eq!(e4m3(byte), value, "0x{byte:02X}");
        }
        assert!(e4m3(0x7F).is_nan() && e4m3(0xFF).is_nan());
        assert!(e4m3(0x80) == 0.0 && e4m3(0x80).is_sign_negative());
    }
}
