//! A cache full of random tokens, on both sides.

use std::ops::Range;

use qwill_gpu::Buffer;
use qwill_kernels::cpu::{k_unit, v_unit};
use qwill_kernels::self_test::{restored, stored};
use qwill_kernels::{Attend, PAGE};

use super::heads::cut_heads;
use super::places::{Places, UnitOf};
use crate::{Rig, Rng};

/// Pages beside those in use.
const SPARE_PAGES: usize = 2;
/// Pages with contents of their own; further ones are some of these again, so that a long cache is made in no time.
const DISTINCT_PAGES: usize = 127;
/// Bytes that keys may take, and values as many.
const MOST_BYTES: usize = 3 << 28;

/// Keys and values of a layer.
pub(super) struct Cache {
    shape: Attend,
    /// `[tokens of distinct pages, n_kv_heads, head_dim]`
    k: Vec<f32>,
    v: Vec<f32>,
    /// The distinct page that each logical page has the contents of.
    contents: Vec<usize>,
    /// The physical page of each logical page.
    pub(super) table: Vec<u32>,
    pub(super) k_cache: Buffer,
    pub(super) v_cache: Buffer,
}

impl Cache {
    pub(super) fn random(rig: &Rig, rng: &mut Rng, shape: Attend, n_tokens: usize) -> Self {
        let Attend { n_kv_heads, head_dim, kv, .. } = shape;
        let n_pages = n_tokens.div_ceil(PAGE);
        let n_distinct = n_pages.min(DISTINCT_PAGES);
        let physical = rng.shuffled(n_pages + SPARE_PAGES);
        let (used, spare) = (&physical[..n_distinct], &physical[n_pages..]);
        let contents: Vec<usize> =
            (0..n_pages).map(|page| if page < n_distinct { page } else { rng.below(n_distinct) }).collect();
        let table: Vec<u32> = contents.iter().map(|&page| used[page]).collect();

        let distinct_tokens = n_tokens.min(n_distinct * PAGE);
        let mut random = || -> Vec<f32> {
            let exact = rng.floats(distinct_tokens * n_kv_heads * head_dim, 2.0);
            exact.chunks_exact(head_dim).flat_map(|x| restored(kv, &stored(kv, x), head_dim)).collect()
        };
        let (k, v) = (random(), random());
        let places = Places { kv, n_kv_heads, head_dim };
        let bytes = places.page_words() * 4;
        let [k_cache, v_cache] =
            [(&k, k_unit as UnitOf), (&v, v_unit as UnitOf)].map(|(vectors, unit_of)| {
                let cache = rig.empty("cache", physical.len() * bytes);
                let of_page = vectors.chunks(PAGE * n_kv_heads * head_dim);
                for (vectors, &page) in of_page.zip(used) {
                    let mut words = places.untouched(1);
                    for (index, vector) in vectors.chunks_exact(head_dim).enumerate() {
                        let (slot, head) = (index / n_kv_heads, index % n_kv_heads);
                        let places = places.of(unit_of, 0, slot, head);
                        places.zip(stored(kv, vector)).for_each(|(at, word)| words[at] = word);
                    }
                    rig.write(&cache, page as usize * bytes, &words);
                }
                for &page in spare {
                    rig.write(&cache, page as usize * bytes, &places.untouched(1));
                }
                cache
            });
        Self { shape, k, v, contents, table, k_cache, v_cache }
    }

    /// Tokens that a cache may hold on this device, at most `wanted`.
    pub(super) fn longest(rig: &Rig, shape: Attend, wanted: usize) -> usize {
        let Attend { n_kv_heads, head_dim, kv, .. } = shape;
        let caps = rig.caps();
        let most = caps.max_binding.min(caps.max_buffer).min(MOST_BYTES as u64) as usize;
        let pages = most / (Places { kv, n_kv_heads, head_dim }.page_words() * 4);
        wanted.min(pages.saturating_sub(SPARE_PAGES) * PAGE)
    }

    /// Keys and values of the first `n` tokens, those of some heads.
    pub(super) fn first(&self, n: usize, kv_heads: &Range<usize>) -> (Vec<f32>, Vec<f32>) {
        let Attend { n_kv_heads, head_dim, .. } = self.shape;
        let width = n_kv_heads * head_dim;
        let cut = |all: &[f32]| {
            let mut some = Vec::with_capacity(n * kv_heads.len() * head_dim);
            for (page, first) in self.contents.iter().zip((0..n).step_by(PAGE)) {
                let tokens = &all[page * PAGE * width..][..PAGE.min(n - first) * width];
                some.extend(cut_heads(tokens, n_kv_heads, head_dim, kv_heads));
            }
            some
        };
        (cut(&self.k), cut(&self.v))
    }
}
