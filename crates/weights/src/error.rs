use crate::DType;

/// Everything that can go wrong between a file and its tensors.
///
/// The messages are written for the person who has the file: they name the file, the tensor or the
/// key, what was found and what was expected.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused to open or read a file.
    #[error("{file}: {source}")]
    Io {
        /// Name of the source.
        file: String,
        /// What the operating system said.
        source: std::io::Error,
    },

    /// A [`ByteSource`](crate::ByteSource) other than a file could not deliver its bytes.
    #[error("{file}: {reason}")]
    Source {
        /// Name of the source.
        file: String,
        /// What went wrong, in the words of the source.
        reason: String,
    },

    /// A read went past the end of a source, or a source returned fewer bytes than were asked for.
    #[error("{file}: bytes {start}..{end} were asked for, but the file has only {len} bytes")]
    OutOfRange {
        /// Name of the source.
        file: String,
        /// First byte asked for.
        start: u64,
        /// One past the last byte asked for.
        end: u64,
        /// Bytes that are there.
        len: u64,
    },

    /// The container itself (magic, version, header, split) is damaged or not supported.
    #[error("{file}: {reason}")]
    Container {
        /// Name of the source.
        file: String,
        /// What is wrong, and what would be right.
        reason: String,
    },

    /// One tensor of the container is described wrongly, or of a kind that is not supported.
    #[error("{file}: tensor \"{tensor}\": {reason}")]
    Tensor {
        /// Name of the source.
        file: String,
        /// Name of the tensor.
        tensor: String,
        /// What is wrong, and what would be right.
        reason: String,
    },

    /// A metadata key holds a value of another type than the one asked for.
    #[error("metadata key \"{key}\" should be {expected}, but it is {found}")]
    KeyType {
        /// The key.
        key: String,
        /// The type that was asked for.
        expected: &'static str,
        /// Type and, where short, value that was found.
        found: String,
    },

    /// The tensors of a packed layer (GPTQ, AWQ, FP8) do not fit together.
    #[error("tensor \"{tensor}\": {reason}")]
    Packed {
        /// Name of the tensor.
        tensor: String,
        /// What is wrong, and what would be right.
        reason: String,
    },

    /// A tensor cannot be written in another format.
    #[error("tensor \"{tensor}\": {reason}")]
    Convert {
        /// Name of the tensor.
        tensor: String,
        /// What is in the way, with the row.
        reason: String,
    },

    /// The operation does not exist for this data type.
    #[error("{operation} is not supported for {dtype}")]
    Unsupported {
        /// What was asked for.
        operation: &'static str,
        /// The data type.
        dtype: DType,
    },

    /// A slice handed to a conversion has the wrong length.
    #[error("{what}: {found} given, {expected} needed")]
    Length {
        /// The slice, with its unit.
        what: &'static str,
        /// Length found.
        found: usize,
        /// Length that would be right, in words.
        expected: String,
    },
}

impl Error {
    pub(crate) fn container(file: &str, reason: impl Into<String>) -> Self {
        Self::Container { file: file.to_owned(), reason: reason.into() }
    }

    pub(crate) fn tensor(file: &str, tensor: &str, reason: impl Into<String>) -> Self {
        Self::Tensor { file: file.to_owned(), tensor: tensor.to_owned(), reason: reason.into() }
    }
}
