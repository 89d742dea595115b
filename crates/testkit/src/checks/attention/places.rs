//! Where and how vectors lie in the cache.

use half::f16;
use qwill_kernels::cpu;
use qwill_kernels::{KvType, PAGE};

use super::UNTOUCHED;

/// A head's vector as words of the cache.
pub(super) fn stored(kv: KvType, vector: &[f32]) -> Vec<u32> {
    let half = |x: f32| u32::from(f16::from_f32(x).to_bits());
    match kv {
        KvType::F32 => vector.iter().map(|x| x.to_bits()).collect(),
        KvType::F16 => vector.chunks_exact(2).map(|pair| half(pair[0]) | half(pair[1]) << 16).collect(),
        KvType::Q8 => cpu::encode_q8(vector),
    }
}

/// What these words stand for.
pub(super) fn restored(kv: KvType, words: &[u32], head_dim: usize) -> Vec<f32> {
    let half = |bits: u32| f16::from_bits(bits as u16).to_f32();
    match kv {
        KvType::F32 => words.iter().map(|&word| f32::from_bits(word)).collect(),
        KvType::F16 => words.iter().flat_map(|&word| [half(word & 0xffff), half(word >> 16)]).collect(),
        KvType::Q8 => cpu::decode_q8(words, head_dim),
    }
}

/// Where words of the cache are: those of a key, or those of a value, in order.
#[derive(Clone, Copy)]
pub(super) struct Places {
    pub(super) kv: KvType,
    pub(super) n_kv_heads: usize,
    pub(super) head_dim: usize,
}

/// [`cpu::k_unit`] or [`cpu::v_unit`].
pub(super) type UnitOf = fn(usize, usize, usize, usize, usize, usize) -> usize;

impl Places {
    pub(super) fn of(
        self,
        unit_of: UnitOf,
        page: usize,
        slot: usize,
        head: usize,
    ) -> impl Iterator<Item = usize> {
        let n_units = self.kv.units(self.head_dim);
        let unit_words = self.kv.vector_bytes(self.head_dim) / 4 / n_units;
        (0..n_units).flat_map(move |unit| {
            let unit = unit_of(page, slot, head, unit, self.n_kv_heads, n_units);
            unit * unit_words..(unit + 1) * unit_words
        })
    }

    /// Words of a page of keys, or of one of values.
    pub(super) fn page_words(self) -> usize {
        PAGE * self.n_kv_heads * self.kv.vector_bytes(self.head_dim) / 4
    }

    /// A cache that nothing was written to.
    pub(super) fn untouched(self, n_pages: usize) -> Vec<u32> {
        vec![UNTOUCHED.to_bits(); n_pages * self.page_words()]
    }
}
