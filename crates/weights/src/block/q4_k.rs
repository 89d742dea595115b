//! Q4_K: `d` and `dmin` f16, 12 bytes of six-bit scales and minima, 128 bytes of nibbles.
//! Value `d * scale * nibble - dmin * min`, scale and minimum per 32 elements.

use super::{f16_at, put_f16, search};

pub(crate) fn quants(block: &[u8; 144]) -> [u8; 256] {
    let mut quants = [0; 256];
    for (quants, bytes) in quants.as_chunks_mut::<64>().0.iter_mut().zip(block[16..].as_chunks::<32>().0) {
        let (low, high) = quants.split_at_mut(32);
        for ((low, high), &b) in low.iter_mut().zip(high).zip(bytes) {
            (*low, *high) = (b & 15, b >> 4);
        }
    }
    quants
}

pub(super) fn dequantize(block: &[u8; 144], out: &mut [f32; 256]) {
    dequantize_parts(&block[..16], &quants(block), out);
}

/// The values of quants from the 16 bytes of scales that Q4_K and Q5_K start with.
pub(super) fn dequantize_parts(scales: &[u8], quants: &[u8; 256], out: &mut [f32; 256]) {
    let d = f16_at(scales, 0);
    let dmin = f16_at(scales, 2);
    for (b, (out, quants)) in out.chunks_mut(32).zip(quants.chunks(32)).enumerate() {
        let (scale, min) = scale_min(&scales[4..], b);
        let (scale, min) = (d * f32::from(scale), dmin * f32::from(min));
        for (out, &q) in out.iter_mut().zip(quants) {
            *out = scale * f32::from(q) - min;
        }
    }
}

/// The six-bit scale and minimum of the 32 elements `b` in the 12 bytes that Q4_K and Q5_K share.
pub(crate) fn scale_min(s: &[u8], b: usize) -> (u8, u8) {
    if b < 4 {
        (s[b] & 63, s[b + 4] & 63)
    } else {
        (s[b + 4] & 15 | s[b - 4] >> 6 << 4, s[b + 4] >> 4 | s[b] >> 6 << 4)
    }
}

/// The inverse of [`scale_min`], for all eight.
fn put_scales_mins(out: &mut [u8], scales: &[u8; 8], mins: &[u8; 8]) {
    for b in 0..4 {
        out[b] = scales[b] | scales[b + 4] >> 4 << 6;
        out[b + 4] = mins[b] | mins[b + 4] >> 4 << 6;
        out[b + 8] = scales[b + 4] & 15 | (mins[b + 4] & 15) << 4;
    }
}

pub(super) fn quantize(values: &[f32; 256], block: &mut [u8; 144]) {
    let (header, bytes) = block.split_at_mut(16);
    let quants = quantize_parts(values, 15, header);
    for (bytes, quants) in bytes.as_chunks_mut::<32>().0.iter_mut().zip(quants.as_chunks::<64>().0) {
        let (low, high) = quants.split_at(32);
        for ((b, &low), &high) in bytes.iter_mut().zip(low).zip(high) {
            *b = low | high << 4;
        }
    }
}

/// Quants from 0 to `top`, and the 16 bytes of scales that Q4_K and Q5_K start with: the inverse of
/// [`dequantize_parts`].
pub(super) fn quantize_parts(values: &[f32; 256], top: u8, header: &mut [u8]) -> [u8; 256] {
    let parts = values.as_chunks::<32>().0;
    let mut scales = [0.0; 8];
    let mut mins = [0.0; 8];
    let mut quants = [0; 256];
    for (b, (part, quants)) in parts.iter().zip(quants.as_chunks_mut().0).enumerate() {
        let fit = search::affine(part, top);
        (scales[b], mins[b], *quants) = (fit.scale, fit.min, fit.levels);
    }
    let max_scale = scales.iter().copied().fold(0.0, f32::max);
    let max_min = mins.iter().copied().fold(0.0, f32::max);
    let six_bits = |v: f32, max: f32| {
        let inverse = if max > 0.0 { 63.0 / max } else { 0.0 };
        search::level(inverse * v, 0.0, 63.0) as u8
    };
    let scales = scales.map(|v| six_bits(v, max_scale));
    let mins = mins.map(|v| six_bits(v, max_min));
    put_f16(header, 0, max_scale / 63.0);
    put_f16(header, 2, max_min / 63.0);
    put_scales_mins(&mut header[4..16], &scales, &mins);

    // The levels once more, for the scales as they are stored.
    let (d, dmin) = (f16_at(header, 0), f16_at(header, 2));
    for (b, (part, quants)) in parts.iter().zip(quants.as_chunks_mut().0).enumerate() {
        let scale = d * f32::from(scales[b]);
        let min = dmin * f32::from(mins[b]);
        if scale != 0.0 {
            *quants = part.map(|v| search::level((v + min) / scale, 0.0, f32::from(top)) as u8);
        }
    }
    quants
}
