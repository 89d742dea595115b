use std::ops::Range;

use super::{Part, SCALE_TYPES};
use crate::{DType, Error, dequantize};

/// A linear layer in 8-bit floats with a scale per block of rows and columns.
///
/// The weight is F8_E4M3 `[out, in]`; `scale` is `[ceil(out / block_out), ceil(in / block_in)]` and
/// is multiplied, although files call it `weight_scale_inv`. The weight itself is not kept here:
/// its rows come straight from the checkpoint.
pub struct Fp8 {
    n_in: usize,
    n_out: usize,
    block: [usize; 2],
    /// Scales of one row of blocks.
    block_columns: usize,
    scales: Vec<f32>,
}

impl Fp8 {
    /// Checks the scales of one layer against the shape `[out, in]` of its weight. `block` is
    /// `weight_block_size` of the configuration, `[out, in]`.
    ///
    /// # Errors
    /// [`Error::Packed`] if the type or the shape of the scales does not fit.
    pub fn new(shape: [usize; 2], scale: Part<'_>, block: [usize; 2]) -> Result<Self, Error> {
        let [n_out, n_in] = shape;
        if block.contains(&0) {
            return Err(scale.error(format!("blocks of {block:?} hold nothing")));
        }
        let expected = [n_out.div_ceil(block[0]), n_in.div_ceil(block[1])];
        scale.shaped(&SCALE_TYPES, expected)?;
        let mut scales = vec![0.0; expected[0] * expected[1]];
        dequantize(scale.info.dtype, scale.bytes, &mut scales)?;
        Ok(Self { n_in, n_out, block, block_columns: expected[1], scales })
    }

    /// The values of some rows, `[out][in]`, from their stored bytes.
    ///
    /// # Errors
    /// [`Error::Length`] if there are no such rows, or `bytes` are not these rows.
    pub fn rows(&self, rows: Range<usize>, bytes: &[u8]) -> Result<Vec<f32>, Error> {
        if rows.start > rows.end || rows.end > self.n_out {
            return Err(Error::Length {
                what: "rows of a packed layer",
                found: rows.end,
                expected: format!("a range within {}", self.n_out),
            });
        }
        if bytes.len() != rows.len() * self.n_in {
            return Err(Error::Length {
                what: "bytes of rows of a packed layer",
                found: bytes.len(),
                expected: format!("{} rows of {}", rows.len(), self.n_in),
            });
        }
        let mut out = vec![0.0; bytes.len()];
        dequantize(DType::F8E4M3, bytes, &mut out)?;
        for (o, row) in rows.zip(out.chunks_exact_mut(self.n_in.max(1))) {
            let scales = &self.scales[o / self.block[0] * self.block_columns..];
            for (part, &scale) in row.chunks_mut(self.block[1]).zip(scales) {
                for value in part {
                    *value *= scale;
                }
            }
        }
        Ok(out)
    }
}
