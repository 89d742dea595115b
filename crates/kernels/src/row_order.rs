//! The order in which the rows of a weight lie on the device.

/// Order of the rows of a matrix on the device. The matrix has one part or several, each with rows of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowOrder {
    /// One part under the other, as given.
    Plain,
    /// The rows of gate and of up, equally many, in turns of [`RowOrder::RUN`]; what is missing in the last turn is zero.
    /// One invocation then has the gate and the up of an output.
    GateUp,
}

impl RowOrder {
    /// Rows of a turn of [`RowOrder::GateUp`]; `run` in the shaders. `gemm/shapes/tiled.wgsl` counts on 16.
    pub const RUN: usize = 16;

    /// Rows that belong together: an expert or a shard has a multiple of so many.
    pub fn unit(self) -> usize {
        match self {
            Self::Plain => 1,
            Self::GateUp => 2 * Self::RUN,
        }
    }

    /// Rows on the device of parts with so many rows.
    pub fn rows_on_device(self, parts: impl IntoIterator<Item = usize>) -> usize {
        let mut parts = parts.into_iter();
        match self {
            Self::Plain => parts.sum(),
            Self::GateUp => parts.next().unwrap_or(0).next_multiple_of(Self::RUN) * 2,
        }
    }

    /// The row on the device where a row of a part lies, among parts with so many rows.
    pub fn place(self, parts: impl IntoIterator<Item = usize>, part: usize, row: usize) -> usize {
        match self {
            Self::Plain => parts.into_iter().take(part).sum::<usize>() + row,
            Self::GateUp => (row / Self::RUN * 2 + part) * Self::RUN + row % Self::RUN,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gates_lie_a_run_above_their_ups() {
        let order = RowOrder::GateUp;
        let place = |part, row| order.place([37, 37], part, row);
        assert_eq!((place(0, 0), place(1, 0), place(0, 15), place(0, 16), place(1, 36)), (0, 16, 15, 32, 84));
        assert_eq!(order.rows_on_device([37, 37]), 96);
        assert!(order.rows_on_device([37, 37]).is_multiple_of(order.unit()));
    }

    #[test]
    fn plain_parts_lie_under_each_other() {
        let order = RowOrder::Plain;
        assert_eq!((order.rows_on_device([3, 1, 5]), order.unit()), (9, 1));
        assert_eq!((order.place([3, 1, 5], 0, 2), order.place([3, 1, 5], 2, 4)), (2, 8));
    }
}
