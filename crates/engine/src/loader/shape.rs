//! What a weight becomes on the device: known before anything is read or allocated.

use qwill_kernels::{RowOrder, align_row};
use qwill_models::{Arrangement, TensorRef, Weight};
use qwill_weights::Layout;

use super::{WeightSource, find};
use crate::Error;

/// A matrix on the device, before it is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MatrixShape {
    /// How its numbers lie.
    pub layout: Layout,
    /// How its rows lie.
    pub order: RowOrder,
    /// Rows, with the padding of [`RowOrder::GateUp`].
    pub n_rows: usize,
    /// Elements in a row, without padding.
    pub k: usize,
    /// A shard holds a multiple of so many rows.
    pub unit: usize,
}

impl MatrixShape {
    /// Bytes of a row in a stream.
    pub fn row_bytes(&self, stream: usize) -> u64 {
        self.layout.stream_row_words(stream, self.k) as u64 * 4
    }

    /// Bytes of the matrix in all streams. Shards do not add any.
    pub fn bytes(&self) -> u64 {
        (0..self.layout.n_streams()).map(|stream| self.row_bytes(stream)).sum::<u64>() * self.n_rows as u64
    }

    /// Bytes that must lie in one binding.
    pub fn unit_bytes(&self) -> u64 {
        let widest = (0..self.layout.n_streams()).map(|stream| self.row_bytes(stream)).max();
        widest.unwrap_or(4) * self.unit as u64
    }

    /// Rows that a shard holds where a binding holds `room` bytes; 0 if that is too little.
    pub fn rows_of_shard(&self, room: u64) -> usize {
        let units = room / self.unit_bytes().max(1);
        (self.unit as u64).saturating_mul(units).min(self.n_rows as u64) as usize
    }
}

/// Bytes of vectors that lie one after the other as f32.
pub fn vector_bytes(parts: &[&TensorRef]) -> u64 {
    align_row(parts.iter().map(|part| part.shape[0]).sum()) as u64 * 4
}

impl WeightSource<'_> {
    fn layout(&self, architecture: &'static str, part: &TensorRef) -> Result<Layout, Error> {
        Ok(find(&self.0, architecture, part)?.0.layout)
    }

    /// The layout of all parts, or f32, which holds any of them exactly.
    fn common_layout<'p>(
        &self,
        architecture: &'static str,
        parts: impl IntoIterator<Item = &'p TensorRef>,
    ) -> Result<Layout, Error> {
        let mut common = None;
        for part in parts {
            let layout = self.layout(architecture, part)?;
            if *common.get_or_insert(layout) != layout {
                return Ok(Layout::F32);
            }
        }
        Ok(common.unwrap_or(Layout::F32))
    }

    /// The matrices of a weight with the parts that lie in each: one if all share a layout, else one for each run of
    /// parts that do. Gate and up rows take turns, so that they are always one matrix.
    pub fn shapes<'w>(
        &self,
        architecture: &'static str,
        weight: &'w Weight,
    ) -> Result<Vec<(MatrixShape, &'w [TensorRef])>, Error> {
        let mut parts = &weight.parts[..];
        let mut shapes = Vec::new();
        if weight.arrangement == Arrangement::GateUp {
            let layout = self.common_layout(architecture, parts)?;
            let (order, n_rows, k) = (RowOrder::GateUp, rows_on_device(weight), parts[0].shape[1]);
            return Ok(vec![(MatrixShape { layout, order, n_rows, k, unit: order.unit() }, parts)]);
        }
        while let Some(first) = parts.first() {
            let layout = self.layout(architecture, first)?;
            let same =
                parts.iter().take_while(|p| self.layout(architecture, p).is_ok_and(|l| l == layout)).count();
            let (stack, rest) = parts.split_at(same.max(1));
            let n_rows = stack.iter().map(|part| part.shape[0]).sum();
            let k = first.shape[1];
            shapes.push((MatrixShape { layout, order: RowOrder::Plain, n_rows, k, unit: 1 }, stack));
            parts = rest;
        }
        Ok(shapes)
    }

    /// The matrix of a layer's experts, one under the other; an expert is a unit.
    pub fn experts_shape(
        &self,
        architecture: &'static str,
        experts: &[&Weight],
    ) -> Result<MatrixShape, Error> {
        let first = experts[0];
        let layout = self.common_layout(architecture, experts.iter().flat_map(|expert| &expert.parts))?;
        let (order, unit) = (row_order(first), rows_on_device(first));
        Ok(MatrixShape { layout, order, n_rows: unit * experts.len(), k: first.parts[0].shape[1], unit })
    }
}

/// The order in which the rows of a weight's parts lie.
fn row_order(weight: &Weight) -> RowOrder {
    match weight.arrangement {
        Arrangement::Stacked => RowOrder::Plain,
        Arrangement::GateUp => RowOrder::GateUp,
    }
}

/// Rows of each part of a weight.
fn part_rows(weight: &Weight) -> impl Iterator<Item = usize> {
    weight.parts.iter().map(|part| part.shape[0])
}

/// Rows of a weight on the device.
pub(crate) fn rows_on_device(weight: &Weight) -> usize {
    row_order(weight).rows_on_device(part_rows(weight))
}

/// Where a row of a part lies.
pub(crate) fn row_on_device(weight: &Weight, part: usize, row: usize) -> usize {
    row_order(weight).place(part_rows(weight), part, row)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every row of gate and up has a place of its own, gate 16 above up.
    #[test]
    fn gate_and_up_take_turns() {
        let part = |name: &str| TensorRef::new(name, name, &[37, 8]);
        let weight = Weight::gate_up(part("gate"), part("up"));
        assert_eq!(rows_on_device(&weight), 96);
        let mut places: Vec<usize> = [0, 1]
            .iter()
            .flat_map(|&p| (0..37).map(move |row| (p, row)))
            .map(|(p, row)| row_on_device(&weight, p, row))
            .collect();
        assert_eq!((places[16], places[37]), (32, 16));
        places.sort_unstable();
        places.dedup();
        assert_eq!(places.len(), 74);
        let stacked = Weight::stacked(vec![part("q"), part("k")]);
        assert_eq!((rows_on_device(&stacked), row_on_device(&stacked, 1, 3)), (74, 40));
    }
}
