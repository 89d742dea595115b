//! Tile sizes and reductions, chosen from device facts. One table, so that an on-device tuner can replace it.

use qwill_gpu::{Caps, Grid};

/// How a GEMV adds up the partial sums of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reduction {
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct GemvShape {
    pub(crate) reduction: Reduction,
    pub(crate) workgroup: u32,
    pub(crate) rows: u32,
}

/// Picks the GEMV shape for rows of `k` elements.
///
/// CPU devices emulate a barrier by running every invocation up to it, so there whole rows in one invocation win by far;
/// GPUs want neighbouring invocations on neighbouring words and enough of them to use the row up in few rounds.
pub(crate) fn gemv_shape(caps: &Caps, k: usize) -> GemvShape {
    if caps.is_software {
        return GemvShape { reduction: Reduction::Serial, workgroup: 16, rows: 4 };
    }
    let reduction = if caps.subgroups.is_some() { Reduction::Subgroup } else { Reduction::Tree };
    let workgroup = match k {
        0..=2048 => 64,
        2049..=8192 => 128,
        _ => 256,
    };
    GemvShape { reduction, workgroup, rows: 4 }
}

/// Largest tile of tokens a GEMM uses; activations are padded to whole tiles of it.
pub const GEMM_MAX_TILE_M: u32 = 64;

/// How a GEMM shares what it loads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GemmShape {
    /// Workgroups of 8 x 8 invocations, from tiles in workgroup memory: `tile_m` rows by 64 columns.
    Tiled { tile_m: u32 },
    /// Each invocation on its own: 8 rows by 8 columns in registers, no barrier.
    Serial { workgroup: u32 },
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

/// Picks the GEMM's shape for tiles of at most `tile_m` rows.
///
/// Tiles in workgroup memory are what GPUs want. Measured in turn on llvmpipe, 512 tokens by two layers in 4 bits: serial is
/// 1.5 to 2.3 times as fast for qwen3-1.7b, and 3.3 to 3.7 times for qwen3-30b-a3b, where a part of that is the order of
/// the grid (`tests/bench/moe-llvmpipe.json`).
pub(crate) fn gemm_shape(caps: &Caps, tile_m: u32) -> GemmShape {
    if caps.is_software { GemmShape::Serial { workgroup: 16 } } else { GemmShape::Tiled { tile_m } }
}

/// Picks the rows of the GEMM's token tile for chunks of at most `max_tokens`.
pub(crate) fn gemm_tile_m(max_tokens: u32) -> u32 {
    if max_tokens <= 16 { 16 } else { GEMM_MAX_TILE_M }
}

/// Picks the most assignments in a tile of a grouped GEMM, from those of a step and the experts that share them.
///
/// A tile belongs to one expert, and its weights are read for each: it should hold what an expert gets. Rows that it does
/// not have cost registers only, since the kernel skips them by eights.
pub(crate) fn experts_tile_m(n_assignments: usize, n_experts: usize) -> u32 {
    if n_assignments <= 8 * n_experts { 16 } else { 64 }
}

/// Invocations of the one workgroup that groups tokens by expert.
pub(crate) fn group_workgroup(caps: &Caps) -> u32 {
    if caps.is_software { 32 } else { 256 }
}

/// Invocations of a row-wise reduction.
pub(crate) fn row_workgroup(caps: &Caps) -> u32 {
    if caps.is_software { 32 } else { 128 }
}

/// Whether a row reduction uses subgroups.
pub(crate) fn row_subgroups(caps: &Caps) -> bool {
    caps.subgroups.is_some() && !caps.is_software
}
