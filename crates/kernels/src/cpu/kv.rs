//! Twin of `shaders/shared/kv.wgsl`: where the paged cache keeps a head's vector, and how it does with 8 bits.

use crate::PAGE;
use crate::kv::SCALED;

/// Place in the key cache of a unit of the key of a head, of the token in `slot` of a physical `page`; see
/// [`crate::KvType::units`].
///
/// The cache is `[page][kv_head][n_units][PAGE tokens]`: neighbouring tokens lie beside each other.
pub fn k_unit(
    page: usize,
    slot: usize,
    kv_head: usize,
    unit: usize,
    n_kv_heads: usize,
    n_units: usize,
) -> usize {
    ((page * n_kv_heads + kv_head) * n_units + unit) * PAGE + slot
}

/// Place in the value cache of a unit of the value of a head, of the token in `slot` of a physical `page`.
///
/// The cache is `[page][kv_head][PAGE tokens][n_units]`.
pub fn v_unit(
    page: usize,
    slot: usize,
    kv_head: usize,
    unit: usize,
    n_kv_heads: usize,
    n_units: usize,
) -> usize {
    ((page * n_kv_heads + kv_head) * PAGE + slot) * n_units + unit
}

/// The units of a head's vector in a cache of 8 bits: four elements each as `round(127 x / top)`, the first in the lowest
/// byte, then `top / 127` as f32 bits for each 32 elements, with `top = max |x|` of these.
pub fn encode_q8(vector: &[f32]) -> Vec<u32> {
    // as the kernel has it, so that zeros need no case of their own
    let tops = vector.chunks(SCALED).map(|group| group.iter().fold(1e-30f32, |top, x| top.max(x.abs())));
    let quants = vector.chunks(SCALED).zip(tops.clone()).flat_map(|(group, top)| {
        group.chunks(4).map(move |four| {
            let quant = |x: f32| (x * (127.0 / top)).round_ties_even() as i8 as u8;
            four.iter().rev().fold(0, |word, &x| word << 8 | u32::from(quant(x)))
        })
    });
    quants.chain(tops.clone().map(|top| (top / 127.0).to_bits())).collect()
}

/// The vector of `head_dim` elements that [`encode_q8`] made these units of.
pub fn decode_q8(units: &[u32], head_dim: usize) -> Vec<f32> {
    let (quants, scales) = units.split_at(head_dim / 4);
    let quants = quants.iter().flat_map(|word| word.to_le_bytes());
    let scale = |i: usize| f32::from_bits(scales[i / SCALED]);
    quants.enumerate().map(|(i, quant)| scale(i) * f32::from(quant as i8)).collect()
}
