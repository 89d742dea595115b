//! Where and how vectors lie in the cache.

use qwill_kernels::{KvType, PAGE};

use super::UNTOUCHED;

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
