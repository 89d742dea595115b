//! Q2_K: 16 bytes of scale and minimum nibbles, 64 bytes of quants, `d` and `dmin` f16.
//! Value `d * scale * q - dmin * min`, scale and minimum per 16 elements.

use super::{f16_at, put_f16, search};

pub(crate) fn quants(block: &[u8; 84]) -> [u8; 256] {
    pairs(&block[16..80])
}

pub(super) fn dequantize(block: &[u8; 84], out: &mut [f32; 256]) {
    let d = f16_at(block, 80);
    let dmin = f16_at(block, 82);
    let quants = quants(block);
    for ((out, quants), &scale) in out.chunks_mut(16).zip(quants.chunks(16)).zip(&block[..16]) {
        let min = dmin * f32::from(scale >> 4);
        let scale = d * f32::from(scale & 15);
        for (out, &q) in out.iter_mut().zip(quants) {
            *out = scale * f32::from(q) - min;
        }
    }
}

/// The two-bit quants in 64 bytes, for the K formats and TQ2_0: of each 128 elements, the 32 bytes
/// hold the first 32 in their lowest bits, and so on.
pub(super) fn pairs(bytes: &[u8]) -> [u8; 256] {
    let mut quants = [0; 256];
    for (b, quants) in quants.chunks_mut(32).enumerate() {
        for (out, &byte) in quants.iter_mut().zip(&bytes[b / 4 * 32..]) {
            *out = byte >> (b % 4 * 2) & 3;
        }
    }
    quants
}

pub(super) fn quantize(values: &[f32; 256], block: &mut [u8; 84]) {
    let parts = values.as_chunks::<16>().0;
    let mut scales = [0.0; 16];
    let mut mins = [0.0; 16];
    let mut quants = [0; 256];
    for (b, (part, quants)) in parts.iter().zip(quants.as_chunks_mut().0).enumerate() {
        let fit = search::affine(part, 3);
        (scales[b], mins[b], *quants) = (fit.scale, fit.min, fit.levels);
    }
    let max_scale = scales.iter().copied().fold(0.0, f32::max);
    let max_min = mins.iter().copied().fold(0.0, f32::max);
    let four_bits = |v: f32, max: f32| {
        let inverse = if max > 0.0 { 15.0 / max } else { 0.0 };
        search::level(inverse * v, 0.0, 15.0)
    };
    block.fill(0);
    put_f16(block, 80, max_scale / 15.0);
    put_f16(block, 82, max_min / 15.0);
    let (d, dmin) = (f16_at(block, 80), f16_at(block, 82));
    for (b, (part, quants)) in parts.iter().zip(quants.as_chunks_mut().0).enumerate() {
        let (scale, min) = (four_bits(scales[b], max_scale), four_bits(mins[b], max_min));
        block[b] = scale as u8 | (min as u8) << 4;
        let (scale, min) = (d * scale, dmin * min);
        if scale != 0.0 {
            *quants = part.map(|v| search::level((v + min) / scale, 0.0, 3.0) as u8);
        }
    }
    put_pairs(&quants, &mut block[16..80]);
}

/// The inverse of [`pairs`], for bytes that are zero; bits above the second are left out.
pub(super) fn put_pairs(quants: &[u8; 256], bytes: &mut [u8]) {
    for (b, quants) in quants.chunks(32).enumerate() {
        for (&q, byte) in quants.iter().zip(&mut bytes[b / 4 * 32..]) {
            *byte |= (q & 3) << (b % 4 * 2);
        }
    }
}
