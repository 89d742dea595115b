//! The parameters of dispatches.

use std::collections::HashMap;

use crate::{Buffer, Error, Gpu, Usage};

/// Offset of one parameter block in the arena, bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParamSlot(pub(crate) u32);

/// Uniform buffer holding the static parameters of every dispatch, each in its own aligned slot.
///
/// WebGPU has no push constants that wgpu reaches, and a `write_buffer` per dispatch would dominate a small
/// model's step: blocks are written once, when the step is built.
#[derive(Debug)]
pub struct ParamArena {
    slots: HashMap<Vec<u8>, ParamSlot>,
    align: u32,
    buffer: Buffer,
}

impl ParamArena {
    /// Size every block is padded to, bytes; also the size of the uniform binding.
    pub const BLOCK: u64 = 64;
    const CAPACITY: u32 = 4096;

    /// An empty arena for this device.
    pub async fn new(gpu: &Gpu) -> Result<Self, Error> {
        let buffer = gpu.buffer("kernel parameters", Self::bytes(gpu), Usage::Uniform).await?;
        Ok(Self { slots: HashMap::new(), align: Self::align(gpu), buffer })
    }

    fn align(gpu: &Gpu) -> u32 {
        gpu.device.limits().min_uniform_buffer_offset_alignment.max(Self::BLOCK as u32)
    }

    /// Size of an arena on this device, bytes.
    pub fn bytes(gpu: &Gpu) -> u64 {
        u64::from(Self::align(gpu) * Self::CAPACITY)
    }

    /// Adds a block of at most [`Self::BLOCK`] bytes; equal blocks share a slot.
    pub fn push<P: bytemuck::NoUninit>(&mut self, gpu: &Gpu, params: &P) -> Result<ParamSlot, Error> {
        let mut block = bytemuck::bytes_of(params).to_vec();
        assert!(block.len() <= Self::BLOCK as usize, "a parameter block holds at most {} bytes", Self::BLOCK);
        block.resize(Self::BLOCK as usize, 0);
        if let Some(&slot) = self.slots.get(&block) {
            return Ok(slot);
        }
        let index = self.slots.len() as u32;
        if index == Self::CAPACITY {
            return Err(Error::OutOfMemory {
                what: "kernel parameters".into(),
                bytes: Self::BLOCK,
                limit: format!("the model needs more than {} different parameter blocks", Self::CAPACITY),
            });
        }
        let slot = ParamSlot(index * self.align);
        gpu.write(&self.buffer, u64::from(slot.0), &block);
        self.slots.insert(block, slot);
        Ok(slot)
    }

    /// The buffer behind the slots.
    pub fn buffer(&self) -> &wgpu::Buffer {
        &self.buffer
    }
}
