//! Errors of the runtime, with codes that programs can match on.

use qwill_engine::TensorError;
use qwill_kernels::WrongKernel;

/// Whatever can go wrong between a model's files and its reply.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A path that is not there, or files that are no model.
    #[error("{0}")]
    Files(String),
    /// A container or tensor that is not what it claims to be.
    #[error(transparent)]
    Weights(#[from] qwill_weights::Error),
    /// A configuration that makes no plan.
    #[error("{file}: {source}")]
    Model {
        /// The file that holds the configuration.
        file: String,
        /// What is wrong with it.
        source: qwill_models::Error,
    },
    /// A tokenizer or template that does not work.
    #[error(transparent)]
    Text(#[from] qwill_text::Error),
    /// A tensor that does not fit the model.
    #[error(transparent)]
    Tensor(#[from] TensorError),
    /// The tokenizer has ids that the model has no embedding for, or there is no tokenizer.
    #[error("{0}")]
    Tokenizer(String),
    /// More tokens than the context holds.
    #[error("the prompt has {prompt_tokens} tokens, but the context holds {context_length}{hint}")]
    PromptTooLong {
        /// Tokens of the prompt.
        prompt_tokens: usize,
        /// Tokens that fit.
        context_length: usize,
        /// How to get more room, if that is possible.
        hint: String,
    },
    /// A context that the model's positions do not allow as they are.
    #[error(
        "a context of {context_length} tokens was asked for; this model allows 1 to {longest}, more only with scaled \
         positions"
    )]
    ContextTooLong {
        /// Tokens asked for.
        context_length: usize,
        /// Tokens that the model was made for.
        longest: usize,
    },
    /// Logits were asked of a model that gives an embedding or scores.
    #[error("this model has no logits; ask for its embedding or score")]
    NoLogits,
    /// A low-rank adapter that does not fit the model, or is of a kind that is not supported.
    #[error("{0}")]
    Adapter(String),
    /// A request that makes no sense.
    #[error("{0}")]
    Request(String),
    /// A model that the device has no room for.
    #[error("{0}")]
    Memory(String),
    /// The GPU.
    #[error(transparent)]
    Gpu(#[from] qwill_gpu::Error),
    /// A shape that no kernel handles.
    #[error("this model cannot run: {0}")]
    Kernel(String),
    /// A kernel that the device gets wrong, and that no other can replace.
    #[error(
        "this device gets the kernel \"{}\" wrong ({}), and nothing else does what it should do; a newer driver may help, or \
         another GPU; without the self-test the model loads, but its replies will be wrong",
        .0.kernel,
        .0.reason
    )]
    WrongKernel(WrongKernel),
    /// The caller stopped it.
    #[error("stopped by the caller")]
    Aborted,
}

impl From<qwill_engine::Error> for Error {
    fn from(error: qwill_engine::Error) -> Self {
        use qwill_engine::Error as Engine;
        match error {
            Engine::Weights(error) => Self::Weights(error),
            Engine::Tensor(error) => Self::Tensor(error),
            Engine::Adapter(reason) => Self::Adapter(reason),
            Engine::Request(reason) => Self::Request(reason),
            Engine::Gpu(error) => Self::Gpu(error),
            Engine::Kernel(reason) => Self::Kernel(reason),
            Engine::WrongKernel(wrong) => Self::WrongKernel(wrong),
            Engine::Aborted => Self::Aborted,
        }
    }
}

impl From<qwill_kernels::Error> for Error {
    fn from(error: qwill_kernels::Error) -> Self {
        qwill_engine::Error::from(error).into()
    }
}

impl Error {
    /// What is asked of a model without a tokenizer fails with this.
    pub(crate) fn no_tokenizer() -> Self {
        Self::Tokenizer(
            "the model has no tokenizer: tokenizer.json (or vocab.json and merges.txt) is missing beside its weights"
                .into(),
        )
    }

    /// What runs a model is gone, which only a panic does to it.
    pub(crate) fn ended() -> Self {
        Self::Kernel("what ran it has ended in a panic; load it again".into())
    }

    /// The same for somebody else who waits for what failed.
    pub(crate) fn again(&self) -> Self {
        match self {
            Self::Gpu(error) => Self::Gpu(error.clone()),
            Self::Aborted => Self::Aborted,
            Self::Memory(reason) => Self::Memory(reason.clone()),
            Self::Request(reason) => Self::Request(reason.clone()),
            Self::Adapter(reason) => Self::Adapter(reason.clone()),
            other => Self::Kernel(other.to_string()),
        }
    }

    /// A short stable name, the `code` of the TypeScript package's errors.
    pub fn code(&self) -> &'static str {
        use qwill_gpu::Error as Gpu;
        match self {
            Self::Files(_) => "file-not-found",
            Self::Weights(_) | Self::Tensor(_) | Self::Adapter(_) => "invalid-file",
            Self::Model { source: qwill_models::Error::UnknownArchitecture { .. }, .. } => {
                "unknown-architecture"
            }
            Self::Model { .. } => "invalid-file",
            Self::Text(_) => "invalid-text",
            Self::Tokenizer(_) => "invalid-tokenizer",
            Self::PromptTooLong { .. } => "prompt-too-long",
            Self::ContextTooLong { .. } | Self::NoLogits | Self::Request(_) => "invalid-request",
            Self::Gpu(Gpu::NoGpu { .. } | Gpu::NoDevice { .. }) => "no-gpu",
            Self::Memory(_) | Self::Gpu(Gpu::OutOfMemory { .. }) => "out-of-memory",
            Self::Gpu(Gpu::Lost(_)) => "device-lost",
            Self::Gpu(Gpu::Kernel { .. } | Gpu::Device(_) | Gpu::NoTimestamps { .. })
            | Self::Kernel(_)
            | Self::WrongKernel(_) => "gpu-error",
            Self::Aborted => "aborted",
        }
    }
}
