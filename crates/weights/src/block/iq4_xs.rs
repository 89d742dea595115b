//! IQ4_XS: `d` f16, six-bit scales as 16 bits of high pairs and 4 bytes of low nibbles, 128 bytes
//! of nibbles in the order of [IQ4_NL](super::iq4_nl) per 32 elements.
//! Value `d * (scale - 32) * VALUES[nibble]`.

use super::f16_at;
use super::iq4_nl::VALUES;

pub(super) fn dequantize(block: &[u8; 136], out: &mut [f32; 256]) {
    let d = f16_at(block, 0);
    let high = u16::from_le_bytes([block[2], block[3]]);
    let (low, qs) = (&block[4..8], &block[8..]);
    for (b, out) in out.as_chunks_mut::<32>().0.iter_mut().enumerate() {
        let low = low[b / 2] >> (b % 2 * 4) & 15;
        let high = (high >> (2 * b) & 3) as u8;
        let scale = d * f32::from((low | high << 4) as i8 - 32);
        for (i, &q) in qs[16 * b..16 * b + 16].iter().enumerate() {
            out[i] = scale * f32::from(VALUES[usize::from(q & 15)]);
            out[i + 16] = scale * f32::from(VALUES[usize::from(q >> 4)]);
        }
    }
}
