//! IQ4_XS: `d` f16, six-bit scales as 16 bits of high pairs and 4 bytes of low nibbles, 128 bytes
//! of nibbles in the order of [IQ4_NL](super::iq4_nl) per 32 elements.
//! Value `d * (scale - 32) * VALUES[nibble]`.

use super::iq4_nl::VALUES;
use super::{f16_at, nibbles};

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
