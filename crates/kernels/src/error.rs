//! What can go wrong when kernels are prepared.

use crate::WrongKernel;

/// What can go wrong when kernels are prepared.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The device refused a kernel or a buffer.
    #[error(transparent)]
    Gpu(#[from] qwill_gpu::Error),
    /// A kernel computes something wrong on the device.
    #[error("this device gets a kernel wrong, {0}")]
    Wrong(WrongKernel),
    /// A shape that no kernel handles.
    #[error("{0}")]
    Shape(String),
}
