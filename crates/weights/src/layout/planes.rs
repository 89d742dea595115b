//! Bit planes: the same few bits of every quant, in an order that shaders unpack with masks.

/// Fills the words of a plane of `BITS` bits (1, 2 or 4) with the bits from `from_bit` on of quants
/// of a byte each. `quants` are whole words, `32 / BITS` elements each.
pub(crate) fn put<const BITS: usize>(quants: &[u8], from_bit: u32, words: &mut [u32]) {
    let mask = 0x0101_0101_0101_0101 * ((1u64 << BITS) - 1);
    for (quants, word) in quants.chunks(32 / BITS).zip(words) {
        for (unit, &eight) in quants.as_chunks().0.iter().enumerate() {
            let eight = u64::from_le_bytes(eight) >> from_bit & mask;
            *word |= (eight as u32) << (2 * unit * BITS);
            *word |= ((eight >> 32) as u32) << ((2 * unit + 1) * BITS);
        }
    }
}

/// Element `i` of a plane of `bits` bits.
pub(super) fn get(words: &[u32], bits: usize, i: usize) -> u8 {
    let (word, i) = (words[i * bits / 32], i % (32 / bits));
    let (unit, j) = (i / 8, i % 8);
    (word >> (8 * (j % 4) + bits * (2 * unit + j / 4))) as u8 & ((1 << bits) - 1)
}
