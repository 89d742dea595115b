//! What the attention kernels share: which keys a query sees, and which of a head's queries meets one.

use std::ops::Range;

use crate::Visibility;

/// Keys that a query at `position` sees, of `n_kv`.
pub(super) fn visible(visibility: Visibility, position: usize, n_kv: usize) -> Range<usize> {
    let end = position + 1;
    match visibility {
        Visibility::Causal | Visibility::DualChunks(_) => 0..end,
        Visibility::Window(window) => end.saturating_sub(window)..end,
        Visibility::Bidirectional => 0..n_kv,
    }
}

/// The query of a head at `position` that meets a `key`: that for its own chunk, the one before, or any further back.
pub(super) fn query_for(visibility: Visibility, position: usize, key: usize) -> usize {
    match visibility {
        Visibility::DualChunks(stride) => (position / stride - key / stride).min(2),
        _ => 0,
    }
}
