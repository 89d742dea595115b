//! Random matrices on a rig's device.

use std::ops::Range;

use qwill_gpu::Buffer;
use qwill_kernels::self_test::HostMatrix;
use qwill_kernels::{DeviceMatrix, RowOrder, Shard};

use crate::Rig;

/// Bytes that are handed to the device at a time.
const PIECE: usize = 32 << 20;

/// Brings matrices to a device.
pub trait Upload {
    /// Rows that a binding of `max_binding` bytes holds on this device, in each stream; at least one.
    fn rows_in_binding(&self, rig: &Rig, max_binding: u64) -> usize;

    /// Uploads it, in shards whose streams fit into `max_binding` bytes (and into what the device allows).
    fn upload(&self, rig: &Rig, order: RowOrder, max_binding: u64) -> DeviceMatrix;

    /// Uploads it, in shards of `rows` rows; the last may have fewer.
    fn upload_shards(&self, rig: &Rig, order: RowOrder, rows: usize) -> DeviceMatrix;
}

impl Upload for HostMatrix {
    fn rows_in_binding(&self, rig: &Rig, max_binding: u64) -> usize {
        let row_words = |stream| self.layout.stream_row_words(stream, self.k);
        let longest = (0..self.streams.len()).map(row_words).max().unwrap_or(1) * 4;
        let bytes = max_binding.min(rig.caps().max_binding).min(rig.caps().max_buffer);
        (bytes as usize / longest).max(1)
    }

    fn upload(&self, rig: &Rig, order: RowOrder, max_binding: u64) -> DeviceMatrix {
        let rows = self.rows_in_binding(rig, max_binding);
        let rows = match order {
            RowOrder::Plain => rows,
            // a shard must not part a gate from its up
            RowOrder::GateUp => (rows / 32 * 32).max(32),
        };
        self.upload_shards(rig, order, rows)
    }

    fn upload_shards(&self, rig: &Rig, order: RowOrder, rows: usize) -> DeviceMatrix {
        let shards = (0..self.n_rows)
            .step_by(rows)
            .map(|first_row| {
                let n_rows = rows.min(self.n_rows - first_row);
                let part = |stream| upload_rows(self, rig, stream, first_row..first_row + n_rows);
                Shard { first_row, n_rows, streams: (0..self.streams.len()).map(part).collect() }
            })
            .collect();
        DeviceMatrix { layout: self.layout, order, n_rows: self.n_rows, k: self.k, shards }
    }
}

/// A buffer with a stream of some rows, written piece by piece.
fn upload_rows(matrix: &HostMatrix, rig: &Rig, stream: usize, rows: Range<usize>) -> Buffer {
    let words = matrix.layout.stream_row_words(stream, matrix.k);
    let n_distinct = matrix.n_distinct();
    let buffer = rig.empty("shard", rows.len() * words * 4);
    let rows_in_piece = (PIECE / (words * 4)).max(1);
    for first in rows.clone().step_by(rows_in_piece) {
        let mut piece = Vec::new();
        for row in first..rows.end.min(first + rows_in_piece) {
            piece.extend_from_slice(&matrix.streams[stream][row % n_distinct * words..][..words]);
        }
        rig.write(&buffer, (first - rows.start) * words * 4, &piece);
    }
    buffer
}
