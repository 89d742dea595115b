//! What changes from step to step.

use bytemuck::{NoUninit, Zeroable};

/// What changes from step to step, as `shaders/shared/state.wgsl` lays it out.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, NoUninit, Zeroable)]
pub struct StepState {
    /// Position of the first token of this step in its sequence.
    pub position: u32,
    /// Tokens in this step.
    pub n_tokens: u32,
    /// First row of the hidden states whose logits are wanted.
    pub output_row: u32,
    /// Index of this step in its generation.
    pub sample_index: u32,
    /// Seed of the random generator.
    pub seed: u32,
    /// Slot of the token ring that the sample goes to.
    pub ring_slot: u32,
    /// Position of the first row of the rotary table.
    pub rope_first: u32,
    /// Unused.
    pub reserved: u32,
}

/// What grids are computed from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StepShape {
    /// Tokens in this step.
    pub n_tokens: u32,
    /// Tokens in the cache after this step.
    pub n_kv: u32,
    /// Rows of logits wanted.
    pub n_outputs: u32,
}
