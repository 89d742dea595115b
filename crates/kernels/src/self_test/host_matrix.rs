//! Random weights in every layout, with the values that they stand for.

use half::{bf16, f16};
use qwill_weights::{DType, Layout, dequantize, repack, unpack};

use super::Rng;
use crate::align_row;

/// A matrix as it lies on the device, and as numbers. Its rows may repeat: then the twins compute each of the distinct
/// ones once, and every row of the device is still compared.
#[derive(Debug, Clone)]
pub struct HostMatrix {
    /// How it is stored.
    pub layout: Layout,
    /// Its rows: the distinct ones, then the same again, perhaps not to the end.
    pub n_rows: usize,
    /// Elements in a row.
    pub k: usize,
    /// What kernels read of the distinct rows, one vector a stream.
    pub streams: Vec<Vec<u32>>,
    /// What that means, `[n_distinct, k]`.
    pub values: Vec<f32>,
}

impl HostMatrix {
    /// Random weights below about 0.5. Every third row of a quantised matrix has only subnormal scales, which a device
    /// that flushes them would turn into zeros.
    ///
    /// Rows are whole blocks of the layout, [`Layout::block_len`]; those of `Q8` and `Q4` need not be: what pads the
    /// last block decodes to 0, as the layouts promise.
    pub fn random(rng: &mut Rng, layout: Layout, n_rows: usize, k: usize) -> Self {
        match DType::ALL.iter().find(|&&dtype| Layout::of(dtype) == Some(layout)) {
            Some(&dtype) if dtype.block_len() > 1 && !matches!(layout, Layout::Q8 | Layout::Q4) => {
                let bytes = random_blocks(rng, dtype, n_rows, k);
                let mut values = vec![0.0; n_rows * k];
                dequantize(dtype, &bytes, &mut values).expect("whole blocks");
                let streams = repack(dtype, &bytes, n_rows, k).expect("whole blocks");
                Self { layout, n_rows, k, streams, values }
            }
            _ => {
                let streams = random_streams(rng, layout, n_rows, k);
                let values = unpack(layout, &streams, n_rows, k);
                Self { layout, n_rows, k, streams, values }
            }
        }
    }

    /// The same rows again and again until there are `n_rows`.
    pub fn repeated(self, n_rows: usize) -> Self {
        Self { n_rows, ..self }
    }

    /// Rows that differ from each other.
    pub fn n_distinct(&self) -> usize {
        self.values.len() / self.k
    }

    /// Gives each row what a twin found for the distinct one that it repeats.
    pub fn of_all_rows(&self, of_distinct: &[f64]) -> Vec<f64> {
        of_distinct.iter().copied().cycle().take(self.n_rows).collect()
    }

    /// Sets a distinct row to zeros, the way padding rows are.
    pub fn clear_row(&mut self, row: usize) {
        for (stream, words) in self.streams.iter_mut().enumerate() {
            let n = self.layout.stream_row_words(stream, self.k);
            words[row * n..][..n].fill(0);
        }
        self.values[row * self.k..][..self.k].fill(0.0);
    }
}

/// Rows of `k` elements as blocks of a GGUF file: random bytes, with scales that keep the values small.
fn random_blocks(rng: &mut Rng, dtype: DType, n_rows: usize, k: usize) -> Vec<u8> {
    // where scales are, and their largest magnitude
    let fields: &[(usize, f32)] = match dtype {
        DType::Q4_1 => &[(0, 0.03), (2, 0.3)],
        DType::Q5_0 => &[(0, 0.03)],
        DType::Q5_1 => &[(0, 0.015), (2, 0.3)],
        DType::Q2_K => &[(80, 0.01), (82, 0.02)],
        DType::Q3_K => &[(108, 4e-3)],
        DType::Q4_K => &[(0, 5e-4), (2, 5e-3)],
        DType::Q5_K => &[(0, 3e-4), (2, 5e-3)],
        DType::Q6_K => &[(208, 2e-4)],
        DType::IQ4_NL => &[(0, 4e-3)],
        DType::IQ4_XS => &[(0, 2e-4)],
        DType::MXFP4 => &[],
        other => unreachable!("no test data for {other}"),
    };
    let mut bytes: Vec<u8> =
        (0..n_rows * (k / dtype.block_len()) * dtype.block_bytes()).map(|_| rng.bits() as u8).collect();
    for (i, block) in bytes.chunks_exact_mut(dtype.block_bytes()).enumerate() {
        let row = i * dtype.block_len() / k;
        for &(at, size) in fields {
            block[at..at + 2].copy_from_slice(&random_scale(rng, row, size).to_le_bytes());
        }
        if dtype == DType::MXFP4 {
            block[0] = if row % 3 == 2 { 60 } else { 119 } + rng.below(6) as u8;
        }
    }
    bytes
}

/// A scale for a row, up to `size` and of any sign; subnormal in every third row.
fn random_scale(rng: &mut Rng, row: usize, size: f32) -> f16 {
    match row % 3 {
        2 => f16::from_bits((1 + rng.below(0x3ff) + (rng.below(2) << 15)) as u16),
        _ => f16::from_f32(rng.between(-size, size)),
    }
}

/// Rows of `k` elements in a layout whose rows may end anywhere.
fn random_streams(rng: &mut Rng, layout: Layout, n_rows: usize, k: usize) -> Vec<Vec<u32>> {
    let mut streams: Vec<Vec<u32>> =
        (0..layout.n_streams()).map(|stream| vec![0; n_rows * layout.stream_row_words(stream, k)]).collect();
    // byte b of a word of nibbles: element b in the low nibble, 4 + b in the high one
    let nibble = |i: usize| i / 8 * 8 + i % 4 * 2 + i % 8 / 4;
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
                Layout::Q4 => put(0, nibble(i), 4, ((value + 0.5) * 16.0) as u32),
                // every float but the NaNs
                Layout::F8 => put(0, i, 8, rng.below(0x7f) as u32 | (rng.below(2) << 7) as u32),
                Layout::Z4(_) | Layout::Z8(_) => {}
                other => unreachable!("rows of {other:?} are whole blocks"),
            }
        }
        match layout {
            Layout::Q8 | Layout::Q4 => {
                let size = if layout == Layout::Q8 { 4e-3 } else { 6e-2 };
                for block in 0..k.div_ceil(32) {
                    put(1, block, 16, random_scale(rng, row, size).to_bits().into());
                }
                for i in k..align_row(k) {
                    if layout == Layout::Q4 {
                        put(0, nibble(i), 4, 8);
                    }
                }
            }
            Layout::F8 => {
                for block in 0..layout.stream_row_words(1, k) {
                    put(1, block, 32, rng.between(-1e-3, 1e-3).to_bits());
                }
            }
            Layout::Z4(group) | Layout::Z8(group) => {
                let (levels, size) = if let Layout::Z4(_) = layout { (16, 6e-2) } else { (256, 4e-3) };
                let n_groups = layout.stream_row_words(1, k);
                let zeros: Vec<u32> = (0..n_groups).map(|_| rng.below(levels) as u32).collect();
                for (at, zero) in zeros.iter().enumerate() {
                    let scale = match row % 3 {
                        1 => u32::from(bf16::from_f32(rng.between(-size, size)).to_bits()) | 1 << 31,
                        _ => random_scale(rng, row, size).to_bits().into(),
                    };
                    put(1, at, 32, scale | zero << 16);
                }
                for i in 0..align_row(k) {
                    let q = if i < k { rng.below(levels) as u32 } else { zeros[i / group.columns()] };
                    if levels == 16 { put(0, nibble(i), 4, q) } else { put(0, i, 8, q) }
                }
            }
            _ => {}
        }
    }
    streams
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

/// The next row length that a layout allows.
pub fn whole_blocks(layout: Layout, k: usize) -> usize {
    k.next_multiple_of(layout.block_len())
}
