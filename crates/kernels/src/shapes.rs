//! How kernels can be shaped.

use qwill_gpu::Grid;
use qwill_weights::Layout;
use serde::{Deserialize, Serialize};

/// How the partial sums of a row are added up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reduction {
    /// Subgroup sums, then one short loop over workgroup memory.
    Subgroup,
    /// A tree in workgroup memory.
    Tree,
    /// Whole rows in one invocation, no barrier.
    Serial,
}

impl Reduction {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Subgroup => "subgroup",
            Self::Tree => "tree",
            Self::Serial => "serial",
        }
    }
}

/// Shape of a GEMV workgroup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct GemvShape {
    /// How the sums of invocations meet.
    pub reduction: Reduction,
    /// Invocations.
    pub workgroup: u32,
    /// Rows of weights that share each load of the vector: 2, 4 or 8.
    pub rows: u32,
    /// Units of 8 columns that an invocation loads at once, 1, 2 or 4; at most as many as make 16 bytes of weights.
    pub span: u32,
}

impl GemvShape {
    /// The same with a span that the layout has: those of quants with a scale each, up to 16 bytes a load.
    pub fn for_layout(self, layout: Layout) -> Self {
        let most = match layout {
            Layout::Q4 | Layout::Q4M | Layout::Q4K | Layout::Z4(_) => 4,
            Layout::Q8 | Layout::Z8(_) => 2,
            _ => 1,
        };
        Self { span: self.span.min(most), ..self }
    }
}

/// How a GEMM shares what it loads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GemmShape {
    /// Workgroups of 8 x 8 invocations, from tiles in workgroup memory.
    Tiled {
        /// Rows of tokens in a tile, by 64 columns: 16, 32 or 64.
        tile_m: u32,
    },
    /// Each invocation on its own: 8 rows by 8 columns in registers, no barrier.
    Serial {
        /// Invocations.
        workgroup: u32,
    },
}

impl GemmShape {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Tiled { .. } => "tiled",
            Self::Serial { .. } => "serial",
        }
    }

    /// Workgroups for `n_rows` rows of weights.
    fn blocks(self, n_rows: u32) -> u32 {
        n_rows.div_ceil(match self {
            Self::Tiled { .. } => 64,
            Self::Serial { workgroup } => workgroup * 8,
        })
    }

    /// Workgroups for `n_rows` rows of weights and as many tiles of tokens. Those that run one after the other share what a
    /// cache holds: tokens on GPUs, which run most of them at once, and weights on CPU devices.
    pub(crate) fn grid(self, n_rows: u32, tiles: u32) -> Grid {
        match self {
            Self::Tiled { .. } => Grid([self.blocks(n_rows), tiles, 1]),
            Self::Serial { .. } => Grid([tiles, self.blocks(n_rows), 1]),
        }
    }

    /// Rows of tokens in a tile, where no table says it.
    pub(crate) fn tile_m(self) -> u32 {
        match self {
            Self::Tiled { tile_m } => tile_m,
            Self::Serial { .. } => 8,
        }
    }
}

/// Shape of a reduction over each row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowShape {
    /// How the sums of invocations meet: by subgroups or a tree.
    pub reduction: Reduction,
    /// Invocations.
    pub workgroup: u32,
}
