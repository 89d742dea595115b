use std::ops::Range;

use super::{SCALE_TYPES, check_rows, check_type, error, read_scales};
use crate::layout::{F8_GROUP, copy};
use crate::rows::fill_rows;
use crate::{Checkpoint, DType, Error, Layout, TensorInfo, dequantize};

/// A linear layer in 8-bit floats with a scale per block of rows and columns, or one for all.
///
/// The weight is F8_E4M3 `[.., out, in]`; the scales are `[.., ceil(out / block_out),
/// ceil(in / block_in)]` and are multiplied, although files call them `weight_scale_inv`.
#[derive(Clone, Debug)]
pub(crate) struct Fp8<'c> {
    pub(crate) weight: &'c TensorInfo,
    pub(crate) scale: &'c TensorInfo,
    /// Rows that are cut into blocks together: those of one expert.
    n_out: usize,
    block: [usize; 2],
    /// Rows and columns of scales.
    grid: [usize; 2],
}

impl<'c> Fp8<'c> {
    /// The layer with this weight. `block` is `weight_block_size` of the configuration.
    ///
    /// # Errors
    /// [`Error::Packed`] if there are no scales, or their type or shape does not fit.
    pub(crate) fn find(
        checkpoint: &'c Checkpoint,
        weight: &'c TensorInfo,
        block: Option<[usize; 2]>,
    ) -> Result<Self, Error> {
        let name = &weight.name;
        let scale = ["_scale_inv", "_scale"]
            .into_iter()
            .find_map(|suffix| checkpoint.tensor(&format!("{name}{suffix}")))
            .ok_or_else(|| error(name, format!("its scales \"{name}_scale_inv\" are missing")))?;
        check_type(scale, &SCALE_TYPES)?;
        let [outer @ .., n_out, n_in] = &weight.shape[..] else {
            return Err(error(name, format!("its shape is {:?}, but a matrix is needed", weight.shape)));
        };
        let (n_out, n_in) = (*n_out, *n_in);
        if weight.byte_len == 0 {
            return Err(error(name, format!("its shape is {:?}, which is empty", weight.shape)));
        }
        if scale.shape.iter().all(|&d| d == 1) {
            let n_rows = weight.n_rows();
            return Ok(Self { weight, scale, n_out: n_rows, block: [n_rows, n_in], grid: [1, 1] });
        }
        let Some(block) = block else {
            return Err(error(
                &scale.name,
                format!("its shape is {:?}, but config.json has no weight_block_size", scale.shape),
            ));
        };
        let grid = [n_out.div_ceil(block[0]), n_in.div_ceil(block[1])];
        super::check_shape(scale, &[outer, &grid].concat())?;
        Ok(Self { weight, scale, n_out, block, grid })
    }

    /// The format, for people.
    pub(crate) fn describe(&self) -> String {
        match self.grid {
            [1, 1] => "FP8, one scale".to_owned(),
            _ => format!("FP8, {}x{} weights a scale", self.block[0], self.block[1]),
        }
    }

    /// Bytes of both tensors.
    pub(crate) fn byte_len(&self) -> u64 {
        self.weight.byte_len + self.scale.byte_len
    }

    /// The layout that holds the layer without loss: `F8`, or `F32` if blocks are no multiple of 128
    /// columns.
    pub(crate) fn layout(&self) -> Layout {
        let is_whole = self.grid[1] == 1 || self.block[1].is_multiple_of(F8_GROUP);
        if is_whole { Layout::F8 } else { Layout::F32 }
    }

    /// Reads the scales.
    ///
    /// # Errors
    /// [`Error::Packed`] for scales that are not finite.
    pub(crate) async fn open(self, checkpoint: &'c Checkpoint) -> Result<OpenFp8<'c>, Error> {
        let scales = read_scales(checkpoint, self.scale).await?;
        Ok(OpenFp8 { layer: self, checkpoint, scales })
    }

    /// The scales of the blocks of a row.
    fn row_scales<'s>(&self, scales: &'s [f32], row: usize) -> &'s [f32] {
        let Self { n_out, block, grid, .. } = self;
        let at = row / n_out * grid[0] + row % n_out / block[0];
        &scales[at * grid[1]..][..grid[1]]
    }

    /// Refuses weights that are not numbers.
    fn check(&self, first_row: usize, bytes: &[u8]) -> Result<(), Error> {
        let is_nan = |byte: &u8| byte & 0x7F == 0x7F;
        // A pass without a way out is one that the compiler makes vectors of.
        if !bytes.iter().fold(false, |any, byte| any | is_nan(byte)) {
            return Ok(());
        }
        let at = bytes.iter().position(is_nan).unwrap_or_default();
        let (row, column) = (first_row + at / self.weight.row_len(), at % self.weight.row_len());
        Err(error(&self.weight.name, format!("the weight in row {row}, column {column} is NaN")))
    }
}

/// An [`Fp8`] layer with its scales in memory; the weight stays in the file.
pub(crate) struct OpenFp8<'c> {
    layer: Fp8<'c>,
    checkpoint: &'c Checkpoint,
    scales: Vec<f32>,
}

impl OpenFp8<'_> {
    /// The values of some rows, `[out][in]`.
    pub(crate) async fn values(&self, rows: Range<usize>) -> Result<Vec<f32>, Error> {
        let bytes = self.read(rows.clone()).await?;
        let mut out = vec![0.0; bytes.len()];
        dequantize(DType::F8E4M3, &bytes, &mut out)?;
        for (row, values) in rows.zip(out.chunks_exact_mut(self.layer.weight.row_len())) {
            for (part, &scale) in
                values.chunks_mut(self.layer.block[1]).zip(self.layer.row_scales(&self.scales, row))
            {
                for value in part {
                    *value *= scale;
                }
            }
        }
        Ok(out)
    }

    /// Some rows in the layout `F8`.
    pub(crate) async fn fill_streams(
        &self,
        rows: Range<usize>,
        streams: &mut Vec<Vec<u32>>,
    ) -> Result<(), Error> {
        let Self { layer, checkpoint, scales } = self;
        let (weight, n_in) = (layer.weight, layer.weight.row_len());
        check_rows(&weight.name, &rows, weight.n_rows())?;
        let row_words = [0, 1].map(|stream| Layout::F8.stream_row_words(stream, n_in));
        fill_rows(checkpoint, weight, rows, Layout::F8, streams, |bytes, rows, words| {
            layer.check(rows.start, bytes)?;
            let [quants, scale_words] = &mut words[..] else { unreachable!("F8 has two streams") };
            let words = quants.chunks_exact_mut(row_words[0]).zip(scale_words.chunks_exact_mut(row_words[1]));
            for ((row, bytes), (quants, scale_words)) in rows.zip(bytes.chunks_exact(n_in)).zip(words) {
                quants[n_in / 4..].fill(0);
                copy(bytes, quants);
                let scales = layer.row_scales(scales, row);
                for (at, word) in scale_words.iter_mut().enumerate() {
                    *word = scales[at * F8_GROUP / layer.block[1]].to_bits();
                }
            }
            Ok(())
        })
        .await
    }

    async fn read(&self, rows: Range<usize>) -> Result<Vec<u8>, Error> {
        let weight = self.layer.weight;
        check_rows(&weight.name, &rows, weight.n_rows())?;
        let first = rows.start;
        let bytes = self.checkpoint.read_rows(weight, rows).await?;
        self.layer.check(first, &bytes)?;
        Ok(bytes)
    }
}
