use std::ops::Range;

use half::{bf16, f16};

use super::{SCALE_TYPES, check_rows, check_shape, check_type, error, read, read_scales};
use crate::layout::{Words, copy, put_plane, size_streams, split_rows};
use crate::{Checkpoint, DType, Error, Group, Layout, TensorInfo};

/// Which nibble of an AWQ word holds column `8c + i`: the columns lie in the order 0, 2, 4, 6, 1, 3,
/// 5, 7.
const AWQ_NIBBLE: [usize; 8] = [0, 4, 1, 5, 2, 6, 3, 7];

/// Which nibble of a word of a plane holds element `i` of the eight that it has.
const PLANE_NIBBLE: [usize; 8] = [0, 2, 4, 6, 1, 3, 5, 7];

/// Rows that are made together.
const BLOCK: usize = 128;
/// Words of a line of the cache.
const LINE: usize = 16;
/// Words that are transposed beside each other, in the lanes of vectors.
const LANES: usize = 16;

/// How quants of `bits` bits lie in 32-bit words, `p = 32 / bits` in each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packing {
    /// GPTQ: `qweight` `[in / p, out]`, zero points `[groups, out / p]`, lowest bits first.
    Input,
    /// AWQ: `qweight` `[in, out / 8]`, zero points `[groups, out / 8]`, in the order of
    /// [`AWQ_NIBBLE`].
    Output,
}

/// How a checkpoint is quantised, for all its layers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scheme {
    pub(super) packing: Packing,
    pub(super) bits: u32,
    /// Inputs that share a scale; `None` if all do.
    pub(super) group_size: Option<usize>,
    /// What is added to a stored zero point, in the width of the field as AutoGPTQ does.
    pub(super) zero_offset: u32,
    /// Whether input `i` is in group `i / group_size`; else `g_idx` says it (`desc_act`).
    pub(super) in_order: bool,
}

impl Scheme {
    fn mask(self) -> u32 {
        (1 << self.bits) - 1
    }

    /// The zero points in words that are packed along them, with those that fill up the last word.
    fn zeros(self, words: &[[u8; 4]]) -> impl Iterator<Item = u8> {
        let fields = 0..32 / self.bits as usize;
        words.iter().flat_map(move |&word| {
            let word = u32::from_le_bytes(word);
            fields.clone().map(move |i| {
                let place = match self.packing {
                    Packing::Input => i,
                    Packing::Output => AWQ_NIBBLE[i],
                };
                let stored = word >> (self.bits as usize * place);
                (stored.wrapping_add(self.zero_offset) & self.mask()) as u8
            })
        })
    }
}

/// A linear layer that GPTQ or AWQ has quantised: `W[out, in] = scale[group, out] * (q - zero)`.
#[derive(Clone, Debug)]
pub(crate) struct Grouped<'c> {
    pub(crate) qweight: &'c TensorInfo,
    qzeros: &'c TensorInfo,
    scales: &'c TensorInfo,
    g_idx: Option<&'c TensorInfo>,
    scheme: Scheme,
    pub(crate) n_in: usize,
    pub(crate) n_out: usize,
    n_groups: usize,
}

impl<'c> Grouped<'c> {
    /// The layer whose tensors start with `prefix`; `None` if there is no `qweight`.
    ///
    /// # Errors
    /// [`Error::Packed`] names the tensor that is missing or whose type or shape does not fit.
    pub(crate) fn find(
        checkpoint: &'c Checkpoint,
        prefix: &str,
        scheme: Scheme,
    ) -> Result<Option<Self>, Error> {
        let part = |name: &str| checkpoint.tensor(&format!("{prefix}.{name}"));
        let Some(qweight) = part("qweight") else { return Ok(None) };
        let needed = |name: &str| {
            part(name).ok_or_else(|| error(&qweight.name, format!("\"{prefix}.{name}\" is missing")))
        };
        let (qzeros, scales) = (needed("qzeros")?, needed("scales")?);

        check_type(qweight, &[DType::I32])?;
        let per_word = 32 / scheme.bits as usize;
        let [rows, columns] = qweight.shape[..] else {
            return Err(error(
                &qweight.name,
                format!("its shape is {:?}, but a matrix is needed", qweight.shape),
            ));
        };
        let (n_in, n_out) = match scheme.packing {
            Packing::Input => (rows.checked_mul(per_word), Some(columns)),
            Packing::Output => (Some(rows), columns.checked_mul(per_word)),
        };
        let (Some(n_in @ 1..), Some(n_out @ 1..)) = (n_in, n_out) else {
            let shape = &qweight.shape;
            return Err(error(&qweight.name, format!("its shape is {shape:?}, which is empty or too large")));
        };
        let n_groups = n_in.div_ceil(scheme.group_size.unwrap_or(n_in));
        check_type(scales, &SCALE_TYPES)?;
        check_shape(scales, &[n_groups, n_out])?;
        check_type(qzeros, &[DType::I32])?;
        check_shape(qzeros, &[n_groups, n_out.div_ceil(per_word)])?;
        let g_idx = part("g_idx").filter(|_| scheme.packing == Packing::Input);
        if let Some(g_idx) = g_idx {
            check_type(g_idx, &[DType::I32])?;
            check_shape(g_idx, &[n_in])?;
        }
        Ok(Some(Self { qweight, qzeros, scales, g_idx, scheme, n_in, n_out, n_groups }))
    }

    /// The format, for people.
    pub(crate) fn describe(&self) -> String {
        let method = match self.scheme.packing {
            Packing::Input => "GPTQ",
            Packing::Output => "AWQ",
        };
        let size = self.scheme.group_size.unwrap_or(self.n_in);
        let order = if self.is_in_order() { "" } else { " in any order" };
        format!("{method} of {} bits, {size} inputs a scale{order}", self.scheme.bits)
    }

    /// All its tensors, in the order in which they are read.
    pub(crate) fn tensors(&self) -> impl Iterator<Item = &'c TensorInfo> {
        [Some(self.scales), self.g_idx, Some(self.qzeros), Some(self.qweight)].into_iter().flatten()
    }

    /// Bytes of all its tensors.
    pub(crate) fn byte_len(&self) -> u64 {
        self.tensors().map(|info| info.byte_len).sum()
    }

    /// The layout that holds the layer without loss. It is `F32` for groups out of order (their
    /// columns share no scale with their neighbours), for groups that are no multiple of 32, and for
    /// scales in f32.
    pub(crate) fn layout(&self) -> Layout {
        let size = if self.n_groups == 1 { 128 } else { self.scheme.group_size.unwrap_or(128) };
        match (Group::dividing(size), self.scheme.bits) {
            _ if !self.is_in_order() || self.scales.dtype == DType::F32 => Layout::F32,
            (Some(group), 4) => Layout::Z4(group),
            (Some(group), _) => Layout::Z8(group),
            (None, _) => Layout::F32,
        }
    }

    fn is_in_order(&self) -> bool {
        self.scheme.in_order || self.g_idx.is_none() || self.n_groups == 1
    }

    /// Reads the whole layer: its words run across the rows of the weight, so that every row has a
    /// part in every piece of the file.
    ///
    /// # Errors
    /// [`Error::Packed`] for scales that are not finite, and for groups that are not there or not in
    /// the promised order.
    pub(crate) async fn open(self, checkpoint: &Checkpoint) -> Result<OpenGrouped<'c>, Error> {
        let scales = read_scales(checkpoint, self.scales).await?;
        let group_of = self.groups(checkpoint).await?;
        let bytes = read(checkpoint, self.qzeros).await?;
        let zero_words = self.qzeros.row_len();
        let mut zeros = Vec::with_capacity(scales.len());
        for words in bytes.as_chunks().0.chunks_exact(zero_words) {
            zeros.extend(self.scheme.zeros(words).take(self.n_out));
        }
        let to_bits = |&scale| match self.scales.dtype {
            DType::BF16 => 1 << 31 | u32::from(bf16::from_f32(scale).to_bits()),
            _ => f16::from_f32(scale).to_bits().into(),
        };
        let group_words = scales.iter().map(to_bits).zip(&zeros);
        let group_words = group_words.map(|(bits, &zero)| bits | u32::from(zero) << 16).collect();
        let qweight = read(checkpoint, self.qweight).await?;
        Ok(OpenGrouped { layer: self, group_of, scales, zeros, group_words, qweight })
    }

    /// The group of each input.
    async fn groups(&self, checkpoint: &Checkpoint) -> Result<Vec<u32>, Error> {
        let size = self.scheme.group_size.unwrap_or(self.n_in);
        let in_order = (0..self.n_in).map(|input| (input / size) as u32);
        let Some(g_idx) = self.g_idx else { return Ok(in_order.collect()) };
        let bytes = read(checkpoint, g_idx).await?;
        let groups: Vec<u32> = bytes.as_chunks().0.iter().map(|&word| u32::from_le_bytes(word)).collect();
        if let Some(&group) = groups.iter().find(|&&group| group as usize >= self.n_groups) {
            return Err(error(
                &g_idx.name,
                format!("group {} where there are only {}", group as i32, self.n_groups),
            ));
        }
        if self.is_in_order() && !in_order.eq(groups.iter().copied()) {
            return Err(error(
                &g_idx.name,
                format!(
                    "inputs are not in groups of {size} in order, but desc_act is not set in config.json"
                ),
            ));
        }
        Ok(groups)
    }
}

/// A [`Grouped`] layer in memory, as large as it is in the file.
pub(crate) struct OpenGrouped<'c> {
    layer: Grouped<'c>,
    /// Group of each input.
    group_of: Vec<u32>,
    /// `[groups][out]`
    scales: Vec<f32>,
    /// `[groups][out]`
    zeros: Vec<u8>,
    /// `[groups][out]`, scale and zero point as `Z4` and `Z8` have them; of no use where the layout is neither.
    group_words: Vec<u32>,
    qweight: Vec<u8>,
}

impl OpenGrouped<'_> {
    /// The values of some rows, `[out][in]`.
    pub(crate) fn values(&self, rows: Range<usize>) -> Result<Vec<f32>, Error> {
        check_rows(&self.layer.qweight.name, &rows, self.layer.n_out)?;
        let n_in = self.layer.n_in;
        let mut out = Vec::with_capacity(rows.len() * n_in);
        for (o, quants) in rows.clone().zip(self.quants(rows, n_in).chunks_exact(n_in)) {
            out.extend(quants.iter().zip(&self.group_of).map(|(&q, &group)| {
                let at = group as usize * self.layer.n_out + o;
                self.scales[at] * f32::from(i16::from(q) - i16::from(self.zeros[at]))
            }));
        }
        Ok(out)
    }

    /// Some rows in the layout `Z4` or `Z8`.
    pub(crate) fn fill_streams(
        &self,
        rows: Range<usize>,
        layout: Layout,
        group: Group,
        streams: &mut Vec<Vec<u32>>,
    ) -> Result<(), Error> {
        check_rows(&self.layer.qweight.name, &rows, self.layer.n_out)?;
        let n_in = self.layer.n_in;
        size_streams(layout, rows.len(), n_in, streams)?;
        let padded = n_in.next_multiple_of(32);
        let mut words: Words<'_> = streams.iter_mut().map(Vec::as_mut_slice).collect();
        // In blocks of rows, so that the columns of a block stay in the cache while they become rows.
        for first in rows.clone().step_by(BLOCK) {
            let block = first..rows.end.min(first + BLOCK);
            let mut part = split_rows(layout, n_in, &mut words, block.len());
            let (quants, groups) = part.split_at_mut(1);
            self.put_quants(block.clone(), padded, quants[0]);
            let n_groups = groups[0].len() / block.len();
            for (o, words) in block.zip(groups[0].chunks_exact_mut(n_groups)) {
                for (word, groups) in words.iter_mut().zip(self.group_of.chunks(group.columns())) {
                    *word = self.group_words[groups[0] as usize * self.layer.n_out + o];
                }
            }
        }
        Ok(())
    }

    /// Fills words with the quants of some rows, which are padded with weights of zero.
    fn put_quants(&self, rows: Range<usize>, padded: usize, words: &mut [u32]) {
        let Grouped { n_in, n_out, scheme, .. } = self.layer;
        let last_group = self.group_of[n_in - 1] as usize * n_out;
        let row_words = words.len() / rows.len();
        if scheme.bits == 4 && n_in.is_multiple_of(8) {
            // Eight inputs of a row share a word on the device, whatever they share in the file.
            for (o, words) in rows.clone().zip(words.chunks_exact_mut(row_words)) {
                words[n_in / 8..].fill(u32::from(self.zeros[last_group + o]) * 0x1111_1111);
            }
            match scheme.packing {
                Packing::Input => self.reorder_words(rows, row_words, words),
                Packing::Output => self.transpose_words(rows, row_words, words),
            }
            return;
        }
        let mut quants = self.quants(rows.clone(), padded);
        let by_row = quants.chunks_exact_mut(padded).zip(words.chunks_exact_mut(row_words));
        for (o, (quants, words)) in rows.zip(by_row) {
            // A weight of zero is the zero point.
            quants[n_in..].fill(self.zeros[last_group + o]);
            match scheme.bits {
                4 => {
                    words.fill(0);
                    put_plane::<4>(quants, 0, words);
                }
                _ => copy(quants, words),
            }
        }
    }

    /// Puts words of 4 bits that have eight inputs of an output in the order of a plane.
    fn reorder_words(&self, rows: Range<usize>, row_words: usize, words: &mut [u32]) {
        let n_out = self.layer.n_out;
        let mut tile = [[0; LANES]; LINE];
        for first in (0..self.layer.n_in / 8).step_by(LINE) {
            let stored = self.stored_words().chunks_exact(n_out).skip(first);
            for (block, words) in rows.clone().step_by(LANES).zip(words.chunks_mut(LANES * row_words)) {
                for (lanes, stored) in tile.iter_mut().zip(stored.clone()) {
                    load(&stored[block..rows.end], lanes);
                    *lanes = lanes.map(reorder_nibbles);
                }
                for (lane, words) in words.chunks_exact_mut(row_words).enumerate() {
                    put_line(&mut words[first..self.layer.n_in / 8], |i| tile[i][lane]);
                }
            }
        }
    }

    /// Turns words of 4 bits that have eight outputs of an input into those of a plane.
    fn transpose_words(&self, rows: Range<usize>, row_words: usize, words: &mut [u32]) {
        let stride = self.layer.n_out / 8;
        let columns = rows.start / 8..rows.end.div_ceil(8);
        let mut tile = [[[0; LANES]; 8]; LINE];
        for first in (0..self.layer.n_in / 8).step_by(LINE) {
            let stored = self.stored_words().chunks_exact(8 * stride).skip(first);
            for column in columns.clone().step_by(LANES) {
                for (tile, inputs) in tile.iter_mut().zip(stored.clone()) {
                    for (stored, place) in inputs.chunks_exact(stride).zip(PLANE_NIBBLE) {
                        load(&stored[column..columns.end], &mut tile[place]);
                    }
                    transpose_nibbles(tile);
                }
                // A block may begin and end in the middle of eight outputs.
                let outputs = rows.start.max(8 * column)..rows.end.min(8 * (column + LANES));
                let places = outputs.start - rows.start..outputs.end - rows.start;
                let words =
                    words[places.start * row_words..places.end * row_words].chunks_exact_mut(row_words);
                for (o, words) in outputs.zip(words) {
                    let (nibble, lane) = (AWQ_NIBBLE[o % 8], o / 8 - column);
                    put_line(&mut words[first..self.layer.n_in / 8], |i| tile[i][nibble][lane]);
                }
            }
        }
    }

    fn stored_words(&self) -> &[[u8; 4]] {
        self.qweight.as_chunks().0
    }

    /// The unsigned quants of some rows, `[out][stride]`, padded with zeros.
    fn quants(&self, rows: Range<usize>, stride: usize) -> Vec<u8> {
        let Grouped { n_in, n_out, scheme, .. } = self.layer;
        let words = self.qweight.as_chunks::<4>().0;
        let mut quants = vec![0; rows.len() * stride];
        match scheme.packing {
            Packing::Input => {
                let per_word = 32 / scheme.bits as usize;
                for (at, words) in words.chunks_exact(n_out).enumerate() {
                    let at = at * per_word;
                    for (row, &word) in quants.chunks_exact_mut(stride).zip(&words[rows.clone()]) {
                        let word = u32::from_le_bytes(word);
                        match scheme.bits {
                            4 => row[at..at + 8].copy_from_slice(&nibbles(word).to_le_bytes()),
                            _ => row[at..at + 4].copy_from_slice(&word.to_le_bytes()),
                        }
                    }
                }
            }
            Packing::Output => {
                // In pieces of the input, so that the words that outputs share stay in the cache.
                for first in (0..n_in).step_by(64) {
                    let inputs = first..n_in.min(first + 64);
                    for (row, o) in quants.chunks_exact_mut(stride).zip(rows.clone()) {
                        let shift = 4 * AWQ_NIBBLE[o % 8];
                        let words = words[first * (n_out / 8) + o / 8..].iter().step_by(n_out / 8);
                        for (q, &word) in row[inputs.clone()].iter_mut().zip(words) {
                            *q = (u32::from_le_bytes(word) >> shift & 15) as u8;
                        }
                    }
                }
            }
        }
        quants
    }
}

/// Loads words, as many as there are lanes or as are left.
fn load(stored: &[[u8; 4]], lanes: &mut [u32; LANES]) {
    match stored.first_chunk() {
        Some(stored) => *lanes = stored.map(u32::from_le_bytes),
        None => {
            for (lane, &word) in lanes.iter_mut().zip(stored) {
                *lane = u32::from_le_bytes(word);
            }
        }
    }
}

/// Writes the next words of a row: a line of the cache, or what is left. Rows lie so far apart that no cache holds a line
/// of each until it is full, so that lines are written as a whole.
fn put_line(words: &mut [u32], word: impl Fn(usize) -> u32) {
    match words.first_chunk_mut::<LINE>() {
        Some(line) => *line = std::array::from_fn(word),
        None => {
            for (i, place) in words.iter_mut().enumerate() {
                *place = word(i);
            }
        }
    }
}

/// Eight nibbles to a byte each, in order.
fn nibbles(word: u32) -> u64 {
    let mut x = u64::from(word);
    x = (x | x << 16) & 0x0000_FFFF_0000_FFFF;
    x = (x | x << 8) & 0x00FF_00FF_00FF_00FF;
    (x | x << 4) & 0x0F0F_0F0F_0F0F_0F0F
}

/// A word of eight quants in order, as a plane of 4 bits has them: the upper four go between the lower four.
fn reorder_nibbles(word: u32) -> u32 {
    let spread = |half: u32| {
        let bytes = (half | half << 8) & 0x00FF_00FF;
        (bytes | bytes << 4) & 0x0F0F_0F0F
    };
    spread(word & 0xFFFF) | spread(word >> 16) << 4
}

/// Eight words of eight quants as words of a plane of 4 bits: the `n`th holds nibble `n` of each, in order. Every lane
/// does so with words of its own.
fn transpose_nibbles(words: &mut [[u32; LANES]; 8]) {
    for (step, mask) in [(4, 0x0000_FFFF), (2, 0x00FF_00FF), (1, 0x0F0F_0F0F)] {
        for low in (0..8).filter(|i| i & step == 0) {
            // The upper half of each part of one word changes places with the lower half of the other's.
            let (before, after) = words.split_at_mut(low + step);
            for (a, b) in before[low].iter_mut().zip(&mut after[0]) {
                let differing = (*a >> (4 * step) ^ *b) & mask;
                *a ^= differing << (4 * step);
                *b ^= differing;
            }
        }
    }
}
