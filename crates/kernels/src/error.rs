//! What can go wrong when kernels are prepared.

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
