//! Weight matrices on the device.

use qwill_gpu::Buffer;
use qwill_weights::Layout;

use crate::{EpilogueKind, RowOrder};

/// Pads a row of `k` elements the way every matrix and activation is padded, elements.
pub fn align_row(k: usize) -> usize {
    k.next_multiple_of(32)
}

/// Consecutive rows of a matrix in buffers of their own, because a binding holds no more.
#[derive(Debug)]
pub struct Shard {
    /// First row.
    pub first_row: usize,
    /// Row count.
    pub n_rows: usize,
    /// One buffer for each stream of the layout.
    pub streams: Vec<Buffer>,
}

/// A weight matrix `[n_rows, k]` on the device.
#[derive(Debug)]
pub struct DeviceMatrix {
    /// How its values are stored.
    pub layout: Layout,
    /// Order of its rows.
    pub order: RowOrder,
    /// Rows, with the padding of [`RowOrder::GateUp`].
    pub n_rows: usize,
    /// Elements in a row, without padding.
    pub k: usize,
    /// The rows, in order.
    pub shards: Vec<Shard>,
}

impl DeviceMatrix {
    /// Units of 8 elements in a padded row.
    pub(crate) fn units(&self) -> u32 {
        (align_row(self.k) / 8) as u32
    }

    /// Bytes that `n_rows` rows take in all streams.
    pub fn row_bytes(&self, n_rows: usize) -> u64 {
        (0..self.layout.n_streams())
            .map(|s| self.layout.stream_row_words(s, self.k) as u64 * 4 * n_rows as u64)
            .sum()
    }

    /// Words for `n_rows` of its rows and what is done with their products.
    pub(crate) fn detail(&self, n_rows: usize, epilogue: EpilogueKind) -> String {
        format!("{} {n_rows}x{} {}", self.layout.name(), self.k, epilogue.name())
    }

    /// Bytes of the whole matrix.
    pub fn bytes(&self) -> u64 {
        self.row_bytes(self.n_rows)
    }
}
