//! Random weights in every layout, with the values that they stand for.

use half::{bf16, f16};
use qwill_kernels::{DeviceMatrix, RowOrder, Shard, align_row};
use qwill_weights::{Layout, unpack};

use crate::{Rig, Rng};

/// A matrix as it lies on the device, and as numbers.
#[derive(Debug, Clone)]
pub struct HostMatrix {
    /// How it is stored.
    pub layout: Layout,
    /// Its rows.
    pub n_rows: usize,
    /// Elements in a row.
    pub k: usize,
    /// What kernels read, one vector a stream.
    pub streams: Vec<Vec<u32>>,
    /// What that means, `[n_rows, k]`.
    pub values: Vec<f32>,
}

impl HostMatrix {
    /// Random weights below about 0.5. Every third row of a quantised matrix has only subnormal scales, which a device
    /// that flushes them would turn into zeros.
    ///
    /// Blocks need not end with the row here: what pads the last one decodes to 0, as the layouts promise.
    pub fn random(rng: &mut Rng, layout: Layout, n_rows: usize, k: usize) -> Self {
        let mut streams: Vec<Vec<u32>> = (0..layout.n_streams())
            .map(|stream| vec![0; n_rows * layout.stream_row_words(stream, k)])
            .collect();
        for row in 0..n_rows {
            let mut put = |stream: usize, index: usize, bits: u32, value: u32| {
                let words = layout.stream_row_words(stream, k);
                let bit = index as u32 * bits;
                streams[stream][row * words + (bit / 32) as usize] |= value << (bit % 32);
            };
            for i in 0..k {
                let value = rng.between(-0.5, 0.5);
                match layout {
                    Layout::F32 => put(0, i, 32, value.to_bits()),
                    Layout::F16 => put(0, i, 16, f16::from_f32(value).to_bits().into()),
                    Layout::BF16 => put(0, i, 16, bf16::from_f32(value).to_bits().into()),
                    Layout::Q8 => put(0, i, 8, u32::from((value * 255.0) as i8 as u8)),
                    // byte b of a word: element b in the low nibble, 4 + b in the high one
                    Layout::Q4 => put(0, i / 8 * 8 + i % 4 * 2 + i % 8 / 4, 4, ((value + 0.5) * 16.0) as u32),
                    other => unreachable!("{other:?} has no kernel"),
                }
            }
            if layout == Layout::Q4 {
                for i in k..align_row(k) {
                    put(0, i / 8 * 8 + i % 4 * 2 + i % 8 / 4, 4, 8);
                }
            }
            if layout.n_streams() == 2 {
                for block in 0..k.div_ceil(32) {
                    let scale = match row % 3 {
                        2 => f16::from_bits(1 + rng.below(0x3ff) as u16),
                        _ => f16::from_f32(rng.between(1e-4, if layout == Layout::Q8 { 4e-3 } else { 6e-2 })),
                    };
                    put(1, block, 16, scale.to_bits().into());
                }
            }
        }
        let values = unpack(layout, &streams, n_rows, k);
        Self { layout, n_rows, k, streams, values }
    }

    /// Sets a row to zeros, the way padding rows are.
    pub fn clear_row(&mut self, row: usize) {
        for (stream, words) in self.streams.iter_mut().enumerate() {
            let n = self.layout.stream_row_words(stream, self.k);
            words[row * n..][..n].fill(0);
        }
        self.values[row * self.k..][..self.k].fill(0.0);
    }

    /// Uploads it, in shards whose streams fit into `max_binding` bytes (and into what the device allows).
    pub fn upload(&self, rig: &Rig, order: RowOrder, max_binding: u64) -> DeviceMatrix {
        let row_words = |stream| self.layout.stream_row_words(stream, self.k);
        let longest = (0..self.streams.len()).map(row_words).max().unwrap_or(1) * 4;
        let rows = (max_binding.min(rig.caps().max_binding) as usize / longest).max(1);
        let rows = match order {
            RowOrder::Plain => rows,
            // a shard must not part a gate from its up
            RowOrder::GateUp => (rows / 32 * 32).max(32),
        };
        self.upload_shards(rig, order, rows)
    }

    /// Uploads it, in shards of `rows` rows; the last may have fewer.
    pub fn upload_shards(&self, rig: &Rig, order: RowOrder, rows: usize) -> DeviceMatrix {
        let row_words = |stream| self.layout.stream_row_words(stream, self.k);
        let shards = (0..self.n_rows)
            .step_by(rows)
            .map(|first_row| {
                let n_rows = rows.min(self.n_rows - first_row);
                let part = |(stream, words): (usize, &Vec<u32>)| {
                    rig.upload("shard", &words[first_row * row_words(stream)..][..n_rows * row_words(stream)])
                };
                Shard { first_row, n_rows, streams: self.streams.iter().enumerate().map(part).collect() }
            })
            .collect();
        DeviceMatrix { layout: self.layout, order, n_rows: self.n_rows, k: self.k, shards }
    }
}

/// Rows of `k` numbers, padded with zeros to [`align_row`] as activations are.
pub fn padded_rows(values: &[f32], k: usize) -> Vec<f32> {
    let mut out = Vec::new();
    for row in values.chunks_exact(k) {
        out.extend_from_slice(row);
        out.resize(out.len().next_multiple_of(align_row(k)), 0.0);
    }
    out
}
