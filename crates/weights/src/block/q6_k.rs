//! Q6_K: 128 bytes of nibbles, 64 bytes of high bit pairs, 16 signed scales, `d` f16.
//! Value `d * scale * (q - 32)`, scale per 16 elements.

use super::{f16_at, put_f16, search, signed_max};

pub(crate) fn quants(block: &[u8; 210]) -> [u8; 256] {
    let (low, high) = (&block[..128], &block[128..192]);
    let mut quants = [0; 256];
    for (b, quants) in quants.chunks_mut(32).enumerate() {
        // Of each 128 elements, the part of 32.
        let (half, part) = (b / 4, b % 4);
        let low = &low[64 * half + part % 2 * 32..];
        let high = &high[32 * half..];
        for ((out, &low), &high) in quants.iter_mut().zip(low).zip(high) {
            *out = low >> (part / 2 * 4) & 15 | (high >> (2 * part) & 3) << 4;
        }
    }
    quants
}

pub(super) fn dequantize(block: &[u8; 210], out: &mut [f32; 256]) {
    let d = f16_at(block, 208);
    let quants = quants(block);
    for ((out, quants), &scale) in out.chunks_mut(16).zip(quants.chunks(16)).zip(&block[192..208]) {
        let scale = d * f32::from(scale as i8);
        for (out, &q) in out.iter_mut().zip(quants) {
            *out = scale * f32::from(q as i8 - 32);
        }
    }
}

pub(super) fn quantize(values: &[f32; 256], block: &mut [u8; 210]) {
    let round = |v| search::level(v, -32.0, 31.0);
    let parts = values.as_chunks::<16>().0;
    let mut scales = [0.0; 16];
    for (scale, part) in scales.iter_mut().zip(parts) {
        *scale = search::scale(part, -32.0, 0.9, round);
    }
    let max_scale = signed_max(&scales);
    let inverse = if max_scale == 0.0 { 0.0 } else { -128.0 / max_scale };
    block.fill(0);
    put_f16(block, 208, max_scale / -128.0);
    let d = f16_at(block, 208);

    let mut quants = [32u8; 256];
    for (s, ((part, quants), scale)) in
        parts.iter().zip(quants.as_chunks_mut::<16>().0).zip(scales).enumerate()
    {
        let stored = search::level(scale * inverse, -128.0, 127.0);
        block[192 + s] = stored as i8 as u8;
        let scale = d * stored;
        if scale != 0.0 {
            *quants = part.map(|v| (round(v / scale) as i8 + 32) as u8);
        }
    }
    let (low, high) = block[..192].split_at_mut(128);
    for (b, quants) in quants.chunks(32).enumerate() {
        let (half, part) = (b / 4, b % 4);
        let low = &mut low[64 * half + part % 2 * 32..];
        for ((&q, low), high) in quants.iter().zip(low).zip(&mut high[32 * half..]) {
            *low |= (q & 15) << (part / 2 * 4);
            *high |= (q >> 4) << (2 * part);
        }
    }
}
