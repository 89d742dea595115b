//! What can go wrong on the way to the device and on it.

use qwill_kernels::WrongKernel;

/// Whatever keeps an engine from being made, or from running a step.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A container or tensor that is not what it claims to be.
    #[error(transparent)]
    Weights(#[from] qwill_weights::Error),
    /// A tensor that does not fit the model.
    #[error(transparent)]
    Tensor(#[from] TensorError),
    /// A low-rank adapter that does not fit the model, or is of a kind that is not supported.
    #[error("{0}")]
    Adapter(String),
    /// What was asked for makes no sense.
    #[error("{0}")]
    Request(String),
    /// The device.
    #[error(transparent)]
    Gpu(#[from] qwill_gpu::Error),
    /// A shape that no kernel handles.
    #[error("{0}")]
    Kernel(String),
    /// A kernel that the device gets wrong.
    #[error("{0}")]
    WrongKernel(WrongKernel),
    /// The caller stopped it.
    #[error("stopped by the caller")]
    Aborted,
}

/// A tensor that does not fit the model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TensorError {
    /// The model needs a tensor that the files do not have.
    #[error("the files have no tensor \"{name}\", which {architecture} needs{hint}")]
    Missing {
        /// Name in this container.
        name: String,
        /// The family.
        architecture: &'static str,
        /// A similar name, if there is one.
        hint: String,
    },
    /// A tensor of another shape than the configuration asks for.
    #[error("tensor \"{name}\" has the shape {found:?}, but the configuration asks for {expected:?}")]
    Shape {
        /// Name in the files.
        name: String,
        /// Its shape there.
        found: Vec<usize>,
        /// The shape that follows from the configuration.
        expected: Vec<usize>,
    },
}

impl From<qwill_kernels::Error> for Error {
    fn from(error: qwill_kernels::Error) -> Self {
        match error {
            qwill_kernels::Error::Gpu(error) => Self::Gpu(error),
            qwill_kernels::Error::Shape(reason) => Self::Kernel(reason),
            qwill_kernels::Error::Wrong(wrong) => Self::WrongKernel(wrong),
        }
    }
}
