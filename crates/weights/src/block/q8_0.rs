//! Q8_0: `d` f16, then 32 signed bytes. Value `d * q`.

use super::{f16_at, inverse, put_f16};

pub(super) fn dequantize(block: &[u8; 34], out: &mut [f32; 32]) {
    let d = f16_at(block, 0);
    for (out, &b) in out.iter_mut().zip(&block[2..]) {
        *out = d * f32::from(b as i8);
    }
}

pub(super) fn quantize(values: &[f32; 32], block: &mut [u8; 34]) {
    // Magnitudes of floats are ordered as their bits are, and integers compare faster.
    let max = values.iter().map(|v| v.to_bits() & !SIGN).max();
    let d = f32::from_bits(max.unwrap_or(0)) / 127.0;
    let id = inverse(d);
    put_f16(block, 0, d);
    for (b, &v) in block[2..].iter_mut().zip(values) {
        *b = round(v * id) as u8;
    }
}

const SIGN: u32 = 1 << 31;

/// Half away from zero, as C's `roundf`, for magnitudes below 2^23: the largest float below a half
/// carries exactly the halves over. `f32::round` is a call into the C library for every element.
fn round(v: f32) -> i8 {
    const BELOW_HALF: f32 = 0.499_999_97;
    (v + BELOW_HALF.copysign(v)) as i8
}

#[cfg(test)]
mod tests {
    use super::round;

    #[test]
    fn rounding_is_that_of_the_standard_library() {
        // Every float near every half and whole number that a quant can be near to.
        for halves in -255i16..=255 {
            let near = (f32::from(halves) / 2.0).to_bits();
            for bits in near.saturating_sub(50)..near + 50 {
                let v = f32::from_bits(bits);
                if v.is_finite() {
                    assert_eq!(round(v), v.round() as i8, "{v:?}");
                }
            }
        }
    }
}
