//! Quantised linear layers of safetensors checkpoints, where one weight is spread over several
//! tensors: GPTQ, AWQ, and FP8 with block scales.
//!
//! Each type is made from the parts of one layer, checks them against each other once, and then
//! gives the weight as rows of `f32`, `[out][in]`, a range of rows at a time. GPTQ and AWQ also give
//! rows in a device [`Layout`] where that holds their values without loss.

mod awq;
mod fp8;
mod gptq;

pub use awq::Awq;
pub use fp8::Fp8;
pub use gptq::{Gptq, GptqOptions, GptqZeros};

use std::ops::Range;

use crate::{DType, Error, Layout, TensorInfo, dequantize};

/// A tensor with all its bytes.
#[derive(Clone, Copy)]
pub struct Part<'a> {
    /// What the checkpoint says about it.
    pub info: &'a TensorInfo,
    /// Its bytes as stored, [`TensorInfo::byte_len`] of them.
    pub bytes: &'a [u8],
}

impl<'a> Part<'a> {
    fn error(&self, reason: String) -> Error {
        Error::Packed { tensor: self.info.name.clone(), reason }
    }

    /// The two dimensions of a matrix of one of these types.
    fn matrix(&self, dtypes: &[DType]) -> Result<[usize; 2], Error> {
        self.check(dtypes)?;
        match self.info.shape[..] {
            [rows, columns] => Ok([rows, columns]),
            _ => Err(self.error(format!("its shape is {:?}, but a matrix is needed", self.info.shape))),
        }
    }

    /// A matrix of 32-bit words in which `factors` values are packed along rows and columns:
    /// the dimensions of the values.
    fn packed_matrix(&self, factors: [usize; 2]) -> Result<[usize; 2], Error> {
        let [rows, columns] = self.matrix(&[DType::I32])?;
        let product = |a: usize, b: usize| a.checked_mul(b).filter(|&n| n > 0);
        match (product(rows, factors[0]), product(columns, factors[1])) {
            (Some(rows), Some(columns)) => Ok([rows, columns]),
            _ => Err(self.error(format!("its shape is {:?}, which is empty or too large", self.info.shape))),
        }
    }

    /// A matrix of exactly this shape.
    fn shaped(&self, dtypes: &[DType], shape: [usize; 2]) -> Result<(), Error> {
        if self.matrix(dtypes)? == shape {
            Ok(())
        } else {
            Err(self.error(format!("its shape is {:?}, but {shape:?} is needed", self.info.shape)))
        }
    }

    fn check(&self, dtypes: &[DType]) -> Result<(), Error> {
        if !dtypes.contains(&self.info.dtype) {
            let names: Vec<&str> = dtypes.iter().map(|d| d.name()).collect();
            return Err(self.error(format!(
                "its type is {}, but {} is needed",
                self.info.dtype,
                names.join(" or ")
            )));
        }
        let len = self.info.n_rows().checked_mul(self.info.row_bytes());
        if len != Some(self.bytes.len()) {
            return Err(self.error(format!(
                "{} bytes given, but its shape is {:?}",
                self.bytes.len(),
                self.info.shape
            )));
        }
        Ok(())
    }

    /// Row `row` of a matrix of 32-bit words.
    fn words(&self, row: usize, columns: usize) -> &'a [[u8; 4]] {
        &self.bytes.as_chunks().0[row * columns..][..columns]
    }
}

/// Types that scales are stored in.
const SCALE_TYPES: [DType; 3] = [DType::F16, DType::BF16, DType::F32];

/// Rows of a linear layer in the layout of the device.
pub struct Repacked {
    /// How they lie.
    pub layout: Layout,
    /// One vector of words per stream of the layout.
    pub streams: Vec<Vec<u32>>,
}

/// Integers in groups, each group with a scale and a zero point: what GPTQ and AWQ have in common
/// once their bits are sorted. `value = scale * (q - zero)`.
struct Grouped {
    n_in: usize,
    /// Group of each input.
    group_of: Vec<u32>,
    /// `[groups][out]`
    scales: Vec<f32>,
    /// `[groups][out]`
    zeros: Vec<i16>,
    n_out: usize,
}

impl Grouped {
    /// Reads the scales and unpacks the zero points with `zero(group, out)`.
    fn new(
        [n_in, n_out]: [usize; 2],
        group_of: Vec<u32>,
        scales: &Part<'_>,
        n_groups: usize,
        zero: impl Fn(usize, usize) -> i16,
    ) -> Result<Self, Error> {
        let mut scale_values = vec![0.0; n_groups * n_out];
        dequantize(scales.info.dtype, scales.bytes, &mut scale_values)?;
        let zeros =
            (0..n_groups).flat_map(|g| (0..n_out).map(move |o| (g, o))).map(|(g, o)| zero(g, o)).collect();
        Ok(Self { n_in, group_of, scales: scale_values, zeros, n_out })
    }

    fn check_rows(&self, rows: &Range<usize>) -> Result<(), Error> {
        if rows.start <= rows.end && rows.end <= self.n_out {
            Ok(())
        } else {
            Err(Error::Length {
                what: "rows of a packed layer",
                found: rows.end,
                expected: format!("a range within {}", self.n_out),
            })
        }
    }

    /// The values of some rows, `[out][in]`, from their quants in the same order.
    fn values(&self, rows: Range<usize>, quants: &[u8]) -> Vec<f32> {
        let mut out = Vec::with_capacity(quants.len());
        for (o, quants) in rows.zip(quants.chunks_exact(self.n_in)) {
            out.extend(quants.iter().zip(&self.group_of).map(|(&q, &g)| {
                let at = g as usize * self.n_out + o;
                self.scales[at] * f32::from(i16::from(q) - self.zeros[at])
            }));
        }
        out
    }

    /// The layout that holds all values without loss, if there is one: scales must be halves and
    /// groups must not divide blocks of 32.
    fn layout(&self, max_quant: i16) -> Option<Layout> {
        let whole_blocks = self.group_of.chunks(32).all(|block| block.iter().all(|&g| g == block[0]));
        let halves = |&s: &f32| half::f16::from_f32(s).to_f32() == s;
        if !whole_blocks || !self.scales.iter().all(halves) {
            return None;
        }
        let within = |low: i16, high: i16| self.zeros.iter().all(|&z| -z >= low && max_quant - z <= high);
        if within(-8, 7) {
            Some(Layout::Q4)
        } else if within(-128, 127) {
            Some(Layout::Q8)
        } else {
            None
        }
    }

    /// Some rows in a layout that [`layout`](Self::layout) has found, from their quants.
    fn repack(&self, layout: Layout, rows: Range<usize>, quants: &[u8]) -> Repacked {
        let row_words = |stream| layout.stream_row_words(stream, self.n_in);
        let n_rows = rows.len();
        // In Q4 a weight of zero is the nibble 8; scales and padding of other kinds are zeros.
        let zero = if layout == Layout::Q4 { 0x8888_8888 } else { 0 };
        let mut quant_words = vec![zero; n_rows * row_words(0)];
        let mut scale_words = vec![0u32; n_rows * row_words(1)];
        for (((o, quants), quant_words), scale_words) in rows
            .zip(quants.chunks_exact(self.n_in))
            .zip(quant_words.chunks_exact_mut(row_words(0)))
            .zip(scale_words.chunks_exact_mut(row_words(1)))
        {
            for (block, (quants, groups)) in quants.chunks(32).zip(self.group_of.chunks(32)).enumerate() {
                let at = groups[0] as usize * self.n_out + o;
                let scale = half::f16::from_f32(self.scales[at]).to_bits();
                scale_words[block / 2] |= u32::from(scale) << (block % 2 * 16);
                for (i, &q) in quants.iter().enumerate() {
                    let q = i16::from(q) - self.zeros[at];
                    if layout == Layout::Q4 {
                        let shift = i % 4 * 8 + i % 8 / 4 * 4;
                        let word = &mut quant_words[block * 4 + i / 8];
                        *word = *word & !(15 << shift) | u32::from((q + 8) as u8) << shift;
                    } else {
                        quant_words[block * 8 + i / 4] |= u32::from(q as i8 as u8) << (i % 4 * 8);
                    }
                }
            }
        }
        Repacked { layout, streams: vec![quant_words, scale_words] }
    }
}
