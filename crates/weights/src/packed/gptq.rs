use std::ops::Range;

use super::{Grouped, Part, Repacked, SCALE_TYPES};
use crate::{DType, Error, Layout};

/// What a stored zero point means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GptqZeros {
    /// `zero - 1` is stored: checkpoint format `gptq`, the only one before `gptq_v2`.
    MinusOne,
    /// The zero point itself is stored: checkpoint format `gptq_v2`.
    Plain,
}

/// The part of `quantization_config` that the layers depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GptqOptions {
    /// Bits of a weight: 2, 4 or 8.
    pub bits: u32,
    /// Inputs that share a scale; `None` if all do (`group_size: -1`). Only read where the layer
    /// has no `g_idx`.
    pub group_size: Option<usize>,
    /// What a stored zero point means.
    pub zeros: GptqZeros,
}

/// A linear layer as AutoGPTQ and its successors store it.
///
/// With `p = 32 / bits`: `qweight` is I32 `[in / p, out]`, packed along the input, lowest bits
/// first; `qzeros` I32 `[groups, out / p]`, packed along the output; `scales` `[groups, out]`; `g_idx`
/// I32 `[in]` gives each input's group, in order where it is missing.
/// `W[in, out] = scales[group, out] * (q - zero)`.
pub struct Gptq<'a> {
    qweight: Part<'a>,
    bits: u32,
    grouped: Grouped,
}

impl<'a> Gptq<'a> {
    /// Checks the tensors of one layer against each other.
    ///
    /// # Errors
    /// [`Error::Packed`] names the tensor whose type, shape or values do not fit.
    pub fn new(
        qweight: Part<'a>,
        qzeros: Part<'_>,
        scales: Part<'_>,
        g_idx: Option<Part<'_>>,
        options: GptqOptions,
    ) -> Result<Self, Error> {
        let bits = options.bits;
        if !matches!(bits, 2 | 4 | 8) {
            return Err(qweight.error(format!("weights of {bits} bits; 2, 4 and 8 are supported")));
        }
        let per_word = (32 / bits) as usize;
        let mask = (1u32 << bits) - 1;
        let [n_in, n_out] = qweight.packed_matrix([per_word, 1])?;
        let [n_groups, _] = scales.matrix(&SCALE_TYPES)?;
        scales.shaped(&SCALE_TYPES, [n_groups, n_out])?;
        let zero_words = n_out.div_ceil(per_word);
        qzeros.shaped(&[DType::I32], [n_groups, zero_words])?;

        let group_of = match g_idx {
            Some(g_idx) => explicit_groups(&g_idx, n_in, n_groups)?,
            None => {
                let size = options.group_size.unwrap_or(n_in).max(1);
                if n_in.div_ceil(size) != n_groups {
                    return Err(scales.error(format!(
                        "{n_groups} groups, but {n_in} inputs in groups of {size} make {}",
                        n_in.div_ceil(size)
                    )));
                }
                (0..n_in).map(|r| (r / size) as u32).collect()
            }
        };
        let grouped = Grouped::new([n_in, n_out], group_of, &scales, n_groups, |group, out| {
            let word = u32::from_le_bytes(qzeros.words(group, zero_words)[out / per_word]);
            let stored = word >> (bits * (out % per_word) as u32) & mask;
            let zero = match options.zeros {
                // AutoGPTQ adds in the width of the field.
                GptqZeros::MinusOne => (stored + 1) & mask,
                GptqZeros::Plain => stored,
            };
            zero as i16
        })?;
        Ok(Self { qweight, bits, grouped })
    }

    /// Inputs, the length of a row.
    pub fn n_in(&self) -> usize {
        self.grouped.n_in
    }

    /// Outputs, the number of rows.
    pub fn n_out(&self) -> usize {
        self.grouped.n_out
    }

    /// The values of some rows, `[out][in]`.
    ///
    /// # Errors
    /// [`Error::Length`] if there are no such rows.
    pub fn rows(&self, rows: Range<usize>) -> Result<Vec<f32>, Error> {
        let quants = self.quants(rows.clone())?;
        Ok(self.grouped.values(rows, &quants))
    }

    /// The device layout that holds this layer without loss: `Q4` for symmetric 4-bit layers, `Q8`
    /// for symmetric 8-bit and asymmetric 4-bit ones. `None` for the others, for scales that are no
    /// halves, and for groups that are out of order.
    pub fn layout(&self) -> Option<Layout> {
        self.grouped.layout((1 << self.bits) - 1)
    }

    /// Some rows in the device layout; `None` if there is none.
    ///
    /// # Errors
    /// [`Error::Length`] if there are no such rows.
    pub fn repack(&self, rows: Range<usize>) -> Result<Option<Repacked>, Error> {
        let quants = self.quants(rows.clone())?;
        Ok(self.layout().map(|layout| self.grouped.repack(layout, rows, &quants)))
    }

    /// The unsigned quants of some rows, `[out][in]`.
    fn quants(&self, rows: Range<usize>) -> Result<Vec<u8>, Error> {
        self.grouped.check_rows(&rows)?;
        let (n_in, n_out) = (self.n_in(), self.n_out());
        let per_word = (32 / self.bits) as usize;
        let mask = (1u32 << self.bits) - 1;
        let mut quants = vec![0; rows.len() * n_in];
        for word_row in 0..n_in / per_word {
            let words = &self.qweight.words(word_row, n_out)[rows.clone()];
            for (row, &word) in quants.chunks_exact_mut(n_in).zip(words) {
                let mut word = u32::from_le_bytes(word);
                for q in &mut row[word_row * per_word..][..per_word] {
                    *q = (word & mask) as u8;
                    word >>= self.bits;
                }
            }
        }
        Ok(quants)
    }
}

fn explicit_groups(g_idx: &Part<'_>, n_in: usize, n_groups: usize) -> Result<Vec<u32>, Error> {
    g_idx.check(&[DType::I32])?;
    if g_idx.info.shape != [n_in] {
        return Err(g_idx.error(format!("its shape is {:?}, but [{n_in}] is needed", g_idx.info.shape)));
    }
    let groups = g_idx.bytes.as_chunks().0;
    groups
        .iter()
        .map(|&bytes| match u32::from_le_bytes(bytes) {
            group if (group as usize) < n_groups => Ok(group),
            group => Err(g_idx.error(format!("group {}, but there are {n_groups}", group as i32))),
        })
        .collect()
}
