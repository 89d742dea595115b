//! Bit planes: the same few bits of every quant, in an order that shaders unpack with masks.

/// Fills the words of a plane of `BITS` bits (1, 2 or 4) with the bits from `from_bit` on of quants
/// of a byte each. `quants` are whole words, `32 / BITS` elements each.
pub(crate) fn put<const BITS: usize>(quants: &[u8], from_bit: u32, words: &mut [u32]) {
    let mask = 0x0101_0101_0101_0101 * ((1u64 << BITS) - 1);
    for (quants, word) in quants.chunks(32 / BITS).zip(words) {
        for (unit, &eight) in quants.as_chunks().0.iter().enumerate() {
            let eight = u64::from_le_bytes(eight) >> from_bit & mask;
            *word |= fold::<BITS>(eight) << (2 * unit * BITS);
        }
    }
}

/// Fills the words of a plane of 4 bits from bytes that hold two quants each: first come the lower halves of all bytes,
/// then the upper ones. `bytes` are a multiple of 8.
pub(crate) fn put_nibbles(bytes: &[u8], words: &mut [u32]) {
    let bytes = bytes.as_chunks().0;
    let (low, high) = words.split_at_mut(bytes.len());
    for ((&eight, low), high) in bytes.iter().zip(low).zip(high) {
        let eight = u64::from_le_bytes(eight);
        *low = fold::<4>(eight & NIBBLES);
        *high = fold::<4>(eight >> 4 & NIBBLES);
    }
}

/// Fills the words of a plane of 2 bits from bytes that hold four quants each: first come the lowest pairs of all
/// bytes, and so on. `bytes` are a multiple of 16.
pub(crate) fn put_pairs(bytes: &[u8], words: &mut [u32]) {
    let bytes = bytes.as_chunks::<16>().0;
    for (part, words) in words.chunks_mut(bytes.len()).enumerate() {
        for (sixteen, word) in bytes.iter().zip(words) {
            let [first, second] = [0, 8].map(|at| {
                let mut eight = [0; 8];
                eight.copy_from_slice(&sixteen[at..at + 8]);
                fold::<2>(u64::from_le_bytes(eight) >> (2 * part) & PAIRS)
            });
            *word = first | second << 4;
        }
    }
}

const NIBBLES: u64 = 0x0F0F_0F0F_0F0F_0F0F;
const PAIRS: u64 = 0x0303_0303_0303_0303;

/// A unit of a plane: the upper four of eight quants, a byte each, go above the lower four.
fn fold<const BITS: usize>(eight: u64) -> u32 {
    (eight | eight >> (32 - BITS)) as u32
}

/// Element `i` of a plane of `bits` bits.
pub(super) fn get(words: &[u32], bits: usize, i: usize) -> u8 {
    let (word, i) = (words[i * bits / 32], i % (32 / bits));
    let (unit, j) = (i / 8, i % 8);
    (word >> (8 * (j % 4) + bits * (2 * unit + j / 4))) as u8 & ((1 << bits) - 1)
}
