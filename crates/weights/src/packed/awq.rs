use std::ops::Range;

use super::{Grouped, Part, Repacked, SCALE_TYPES};
use crate::{DType, Error, Layout};

/// Which nibble of a word holds the column `8c + i`.
const NIBBLE_OF: [usize; 8] = [0, 4, 1, 5, 2, 6, 3, 7];

/// A linear layer as AutoAWQ stores it ("gemm" version, 4 bits).
///
/// `qweight` is I32 `[in, out / 8]`, `qzeros` I32 `[groups, out / 8]`, both packed along the output
/// in the order 0, 2, 4, 6, 1, 3, 5, 7; `scales` `[groups, out]`.
/// `W[in, out] = scales[group, out] * (q - zero)`.
pub struct Awq<'a> {
    qweight: Part<'a>,
    grouped: Grouped,
}

impl<'a> Awq<'a> {
    /// Checks the tensors of one layer against each other. `group_size` is the number of inputs
    /// that share a scale; `None` if all do.
    ///
    /// # Errors
    /// [`Error::Packed`] names the tensor whose type or shape does not fit.
    pub fn new(
        qweight: Part<'a>,
        qzeros: Part<'_>,
        scales: Part<'_>,
        group_size: Option<usize>,
    ) -> Result<Self, Error> {
        let [n_in, n_out] = qweight.packed_matrix([1, 8])?;
        let words = n_out / 8;
        let size = group_size.unwrap_or(n_in).max(1);
        let n_groups = n_in.div_ceil(size);
        qzeros.shaped(&[DType::I32], [n_groups, words])?;
        scales.shaped(&SCALE_TYPES, [n_groups, n_out])?;
        let group_of = (0..n_in).map(|r| (r / size) as u32).collect();
        let grouped = Grouped::new([n_in, n_out], group_of, &scales, n_groups, |group, out| {
            i16::from(nibble(qzeros.words(group, words), out))
        })?;
        Ok(Self { qweight, grouped })
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

    /// The device layout that holds this layer without loss: `Q8`, or `Q4` if all zero points are
    /// 8. `None` for scales that are no halves, and for groups that are no multiple of 32.
    pub fn layout(&self) -> Option<Layout> {
        self.grouped.layout(15)
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
        let n_in = self.n_in();
        let mut quants = vec![0; rows.len() * n_in];
        for r in 0..n_in {
            let words = self.qweight.words(r, self.n_out() / 8);
            for (i, out) in rows.clone().enumerate() {
                quants[i * n_in + r] = nibble(words, out);
            }
        }
        Ok(quants)
    }
}

fn nibble(words: &[[u8; 4]], out: usize) -> u8 {
    let word = u32::from_le_bytes(words[out / 8]);
    (word >> (4 * NIBBLE_OF[out % 8]) & 15) as u8
}
