//! IQ4_XS: `d` f16, six-bit scales as 16 bits of high pairs and 4 bytes of low nibbles, 128 bytes
//! of nibbles in the order of [IQ4_NL](super::iq4_nl) per 32 elements.
//! Value `d * (scale - 32) * VALUES[nibble]`.

use super::iq4_nl::{self, VALUES};
use super::{f16_at, nibbles, put_f16, put_nibbles, search, signed_max};

pub(crate) fn quants(block: &[u8; 136]) -> [u8; 256] {
    let mut quants = [0; 256];
    for (quants, bytes) in quants.as_chunks_mut().0.iter_mut().zip(block[8..].chunks(16)) {
        *quants = nibbles(bytes);
    }
    quants
}

/// The scales of each 32 elements, with their sign.
pub(crate) fn scales(block: &[u8; 136]) -> [i8; 8] {
    let high = u16::from_le_bytes([block[2], block[3]]);
    std::array::from_fn(|b| {
        let low = block[4 + b / 2] >> (b % 2 * 4) & 15;
        let high = (high >> (2 * b) & 3) as u8;
        (low | high << 4) as i8 - 32
    })
}

pub(super) fn dequantize(block: &[u8; 136], out: &mut [f32; 256]) {
    let d = f16_at(block, 0);
    let quants = quants(block);
    for ((out, quants), scale) in out.chunks_mut(32).zip(quants.chunks(32)).zip(scales(block)) {
        let scale = d * f32::from(scale);
        for (out, &q) in out.iter_mut().zip(quants) {
            *out = scale * f32::from(VALUES[usize::from(q)]);
        }
    }
}

pub(super) fn quantize(values: &[f32; 256], block: &mut [u8; 136]) {
    let parts = values.as_chunks::<32>().0;
    let mut scales = [0.0; 8];
    for (scale, part) in scales.iter_mut().zip(parts) {
        *scale = iq4_nl::scale(part);
    }
    let max_scale = signed_max(&scales);
    let inverse = if max_scale == 0.0 { 0.0 } else { -32.0 / max_scale };
    block.fill(0);
    put_f16(block, 0, max_scale / -32.0);
    let d = f16_at(block, 0);
    for (b, (part, scale)) in parts.iter().zip(scales).enumerate() {
        let stored = search::level(scale * inverse, -32.0, 31.0);
        let bits = (stored as i8 + 32) as u8;
        block[2 + b / 4] |= (bits >> 4) << (b % 4 * 2);
        block[4 + b / 2] |= (bits & 15) << (b % 2 * 4);
        put_nibbles(&iq4_nl::quants_of(part, d * stored), &mut block[8 + 16 * b..]);
    }
}
