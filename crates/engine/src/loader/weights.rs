//! The weights of a plan on the device.

use std::collections::HashMap;
use std::rc::Rc;

use qwill_gpu::Buffer;
use qwill_kernels::{DeviceMatrix, FusedNorm};
use qwill_models::{Norm, TensorRef, Weight};

use crate::Error;

/// Everything that a plan's [`weights`](qwill_models::Plan::weights) name, each once, found by what the plan calls it.
#[derive(Default)]
pub struct Weights<'p> {
    pub(super) matrices: HashMap<&'p Weight, Vec<Rc<DeviceMatrix>>>,
    pub(super) experts: HashMap<Vec<&'p Weight>, Rc<DeviceMatrix>>,
    pub(super) vectors: HashMap<Vec<&'p TensorRef>, Buffer>,
}

impl Weights<'_> {
    /// The matrices of a weight: one if its parts share a layout, else one a part.
    pub fn matrices(&self, weight: &Weight) -> Result<Vec<Rc<DeviceMatrix>>, Error> {
        self.matrices.get(weight).cloned().ok_or_else(|| unnamed(&weight.parts[0]))
    }

    /// The matrices of a layer's experts, one under the other; a shard holds whole experts.
    pub fn experts(&self, experts: &[&Weight]) -> Result<Rc<DeviceMatrix>, Error> {
        self.experts.get(experts).cloned().ok_or_else(|| unnamed(&experts[0].parts[0]))
    }

    /// Vectors one after the other as f32, padded with zeros to 32.
    pub fn vector(&self, parts: &[&TensorRef]) -> Result<Buffer, Error> {
        self.vectors.get(parts).cloned().ok_or_else(|| unnamed(parts[0]))
    }

    /// A norm's weights, padded with zeros to 32.
    pub fn norm(&self, norm: &Norm) -> Result<FusedNorm, Error> {
        Ok(FusedNorm { gain: self.vector(&[&norm.weight])?, eps: norm.eps })
    }
}

/// What an operation uses and its [`weights`](qwill_models::Op::weights) leave out: nobody planned memory for it.
fn unnamed(part: &TensorRef) -> Error {
    Error::Kernel(format!("\"{}\" is not among the plan's weights", part.hf))
}
