//! Memory on the device, and how much of it is in use.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A buffer on the device. Clones are the same memory; it is given back when the last of them is gone, and every
/// [`Dispatch`](crate::Dispatch) that binds it has one.
///
/// A clone of the [`wgpu::Buffer`] inside keeps the memory, too, but nobody knows of it.
#[derive(Debug, Clone)]
pub struct Buffer {
    buffer: wgpu::Buffer,
    _share: Arc<Share>,
}

impl Deref for Buffer {
    type Target = wgpu::Buffer;

    fn deref(&self) -> &wgpu::Buffer {
        &self.buffer
    }
}

/// Tells from any thread how many bytes the buffers of a device take that live.
#[derive(Debug, Clone)]
pub struct Allocated(Arc<AtomicU64>);

impl Allocated {
    /// How many.
    pub fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Bytes of a device that are in use.
#[derive(Debug, Default)]
pub(crate) struct Memory(Arc<AtomicU64>);

impl Memory {
    /// Bytes of the buffers that live.
    pub(crate) fn in_use(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// The count, for others to look at.
    pub(crate) fn share(&self) -> Allocated {
        Allocated(self.0.clone())
    }

    /// Counts a buffer until it is dropped.
    pub(crate) fn count(&self, buffer: wgpu::Buffer) -> Buffer {
        let bytes = buffer.size();
        self.0.fetch_add(bytes, Ordering::Relaxed);
        Buffer { buffer, _share: Arc::new(Share { bytes, in_use: self.0.clone() }) }
    }
}

/// What one buffer takes.
#[derive(Debug)]
struct Share {
    bytes: u64,
    in_use: Arc<AtomicU64>,
}

impl Drop for Share {
    fn drop(&mut self) {
        self.in_use.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
