//! Q8_0: `d` f16, then 32 signed bytes. Value `d * q`.

use super::{f16_at, inverse, put_f16, signed_max};

pub(super) fn dequantize(block: &[u8; 34], out: &mut [f32; 32]) {
    let d = f16_at(block, 0);
    for (out, &b) in out.iter_mut().zip(&block[2..]) {
        *out = d * f32::from(b as i8);
    }
}

pub(super) fn quantize(values: &[f32; 32], block: &mut [u8; 34]) {
    let d = signed_max(values).abs() / 127.0;
    let id = inverse(d);
    put_f16(block, 0, d);
    for (b, &v) in block[2..].iter_mut().zip(values) {
        // Half away from zero, as C's roundf.
        *b = (v * id).round() as i8 as u8;
    }
}
