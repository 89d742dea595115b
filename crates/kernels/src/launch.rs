//! What a launcher returns, and what every launcher needs.

use std::rc::Rc;

use bytemuck::{NoUninit, Zeroable};
use qwill_gpu::{Buffer, Dispatch, Gpu, Grid, KernelSource, ParamArena};

use crate::Templates;

/// What can go wrong when kernels are prepared.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The device refused a kernel or a buffer.
    #[error(transparent)]
    Gpu(#[from] qwill_gpu::Error),
    /// A shape that no kernel handles.
    #[error("{0}")]
    Shape(String),
}

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

type GridRule = Box<dyn Fn(&StepShape) -> Grid>;

/// A bound kernel whose grid follows from the shape of the step.
pub struct Launch {
    /// The kernel's name.
    pub kernel: &'static str,
    /// Bytes of weights that it reads.
    pub weight_bytes: u64,
    /// Pipeline, buffers and parameters.
    pub dispatch: Dispatch,
    grid: GridRule,
}

impl Launch {
    /// Workgroups for a step of this shape.
    pub fn grid(&self, shape: &StepShape) -> Grid {
        (self.grid)(shape)
    }
}

/// Everything that launchers share: the device, the templates, the parameter arena.
pub struct Kernels {
    /// The device.
    pub gpu: Rc<Gpu>,
    pub(crate) templates: Templates,
    arena: ParamArena,
}

impl Kernels {
    /// Prepares the arena on a device.
    pub async fn new(gpu: Rc<Gpu>) -> Result<Self, Error> {
        let arena = ParamArena::new(&gpu).await?;
        Ok(Self { gpu, templates: Templates::default(), arena })
    }

    pub(crate) async fn launch<P: NoUninit>(
        &mut self,
        kernel: &'static str,
        source: &KernelSource,
        params: Option<&P>,
        buffers: &[&Buffer],
        grid: impl Fn(&StepShape) -> Grid + 'static,
    ) -> Result<Launch, Error> {
        let pipeline = self.gpu.pipeline(source).await?;
        let slot = params.map(|params| self.arena.push(&self.gpu, params)).transpose()?;
        let dispatch = self.gpu.dispatch(pipeline, &source.bindings, &self.arena, slot, buffers);
        Ok(Launch { kernel, weight_bytes: 0, dispatch, grid: Box::new(grid) })
    }
}
