//! Twin of `shaders/shared/kv.wgsl`: where the paged cache keeps a number.

use crate::PAGE;

/// Element of the key cache that holds `key[d]` of a head, of the token in `slot` of a physical `page`.
///
/// The cache is `[page][kv_head][head_dim / 4][PAGE tokens]` of 4 elements: neighbouring tokens lie beside each other.
pub fn k_index(
    page: usize,
    slot: usize,
    kv_head: usize,
    d: usize,
    n_kv_heads: usize,
    head_dim: usize,
) -> usize {
    (((page * n_kv_heads + kv_head) * (head_dim / 4) + d / 4) * PAGE + slot) * 4 + d % 4
}

/// Element of the value cache that holds `value[d]` of a head, of the token in `slot` of a physical `page`.
///
/// The cache is `[page][kv_head][PAGE tokens][head_dim]`.
pub fn v_index(
    page: usize,
    slot: usize,
    kv_head: usize,
    d: usize,
    n_kv_heads: usize,
    head_dim: usize,
) -> usize {
    ((page * n_kv_heads + kv_head) * PAGE + slot) * head_dim + d
}
