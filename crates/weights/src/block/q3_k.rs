//! Q3_K: 32 bytes of high bits, 64 bytes of low bit pairs, 12 bytes of six-bit scales, `d` f16.
//! Value `d * (scale - 32) * (q - 4)`, scale per 16 elements.

use super::q2_k::{pairs, put_pairs};
use super::{f16_at, put_f16, search, signed_max};

pub(crate) fn quants(block: &[u8; 110]) -> [u8; 256] {
    let mut quants = pairs(&block[32..96]);
    for (b, quants) in quants.chunks_mut(32).enumerate() {
        for (out, &high) in quants.iter_mut().zip(&block[..32]) {
            *out |= (high >> b & 1) << 2;
        }
    }
    quants
}

/// The scale of the 16 elements `s`, from the 12 bytes of all, with its sign.
pub(crate) fn scale(scales: &[u8], s: usize) -> i8 {
    let low = scales[s % 8] >> (s / 8 * 4) & 15;
    let high = scales[8 + s % 4] >> (s / 4 * 2) & 3;
    (low | high << 4) as i8 - 32
}

pub(super) fn dequantize(block: &[u8; 110], out: &mut [f32; 256]) {
    let d = f16_at(block, 108);
    let quants = quants(block);
    for (s, (out, quants)) in out.chunks_mut(16).zip(quants.chunks(16)).enumerate() {
        let scale = d * f32::from(scale(&block[96..108], s));
        for (out, &q) in out.iter_mut().zip(quants) {
            *out = scale * f32::from(q as i8 - 4);
        }
    }
}

pub(super) fn quantize(values: &[f32; 256], block: &mut [u8; 110]) {
    let round = |v| search::level(v, -4.0, 3.0);
    let parts = values.as_chunks::<16>().0;
    let mut scales = [0.0; 16];
    for (scale, part) in scales.iter_mut().zip(parts) {
        *scale = search::scale(part, -4.0, 0.9, round);
    }
    let max_scale = signed_max(&scales);
    let inverse = if max_scale == 0.0 { 0.0 } else { -32.0 / max_scale };
    block.fill(0);
    put_f16(block, 108, max_scale / -32.0);
    let d = f16_at(block, 108);

    let mut quants = [4u8; 256];
    for (s, ((part, quants), scale)) in
        parts.iter().zip(quants.as_chunks_mut::<16>().0).zip(scales).enumerate()
    {
        let stored = search::level(scale * inverse, -32.0, 31.0);
        let bits = (stored as i8 + 32) as u8;
        block[96 + s % 8] |= (bits & 15) << (s / 8 * 4);
        block[104 + s % 4] |= (bits >> 4) << (s / 4 * 2);
        let scale = d * stored;
        if scale != 0.0 {
            *quants = part.map(|v| (round(v / scale) as i8 + 4) as u8);
        }
    }
    put_pairs(&quants, &mut block[32..96]);
    for (b, quants) in quants.chunks(32).enumerate() {
        for (&q, high) in quants.iter().zip(&mut block[..32]) {
            *high |= (q >> 2) << b;
        }
    }
}
