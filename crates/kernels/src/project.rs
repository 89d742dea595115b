//! What is projected where: the job of `gemv` and `gemm`.

use std::rc::Rc;

use qwill_gpu::Buffer;

use crate::{DeviceMatrix, Epilogue, Error, SlotWeight};

/// The root-mean-square norm that a projection applies to its input.
#[derive(Debug, Clone)]
pub struct FusedNorm {
    /// Weights `[k]`, padded with zeros to 32.
    pub gain: Buffer,
    /// Added to the mean square.
    pub eps: f32,
}

/// A linear projection `y = W x` with what surrounds it.
#[derive(Debug, Clone)]
pub struct Project {
    /// The weights.
    pub matrix: Rc<DeviceMatrix>,
    /// Input `[rows, align_row(k)]` f32.
    pub x: Buffer,
    /// Output `[rows, y_stride]` f32.
    pub y: Buffer,
    /// Elements in a row of the output.
    pub y_stride: usize,
    /// Column of the output where this matrix's outputs start.
    pub first_output: usize,
    /// What happens to the product.
    pub epilogue: Epilogue,
}

impl Project {
    /// Refuses what no kernel does.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if let Some(SlotWeight { slot, n_slots, .. }) =
            self.epilogue.slot_weight().filter(|w| w.slot >= w.n_slots)
        {
            return Err(Error::Shape(format!("no slot {slot} among {n_slots}; the first is 0")));
        }
        self.epilogue.kind().check_order(self.matrix.order)
    }
}
