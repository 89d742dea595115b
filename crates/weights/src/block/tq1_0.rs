//! TQ1_0: 48 bytes of 5 ternary digits, 4 bytes of 4, `d` f16. Value `d * (digit - 1)`.

use super::f16_at;

pub(super) fn dequantize(block: &[u8; 54], out: &mut [f32; 256]) {
    let d = f16_at(block, 52);
    let (first, rest) = out.split_at_mut(160);
    let (second, third) = rest.split_at_mut(80);
    digits(d, &block[..32], first);
    digits(d, &block[32..48], second);
    digits(d, &block[48..52], third);
}

/// The first digit of every byte, then the second of every byte, and so on.
fn digits(d: f32, bytes: &[u8], out: &mut [f32]) {
    let mut power = 1u8;
    for out in out.chunks_mut(bytes.len()) {
        for (out, &b) in out.iter_mut().zip(bytes) {
            // The byte is a fraction of 256; multiplying moves the next digit to the front.
            let digit = (u16::from(b.wrapping_mul(power)) * 3) >> 8;
            *out = d * f32::from(digit as i8 - 1);
        }
        power = power.wrapping_mul(3);
    }
}
