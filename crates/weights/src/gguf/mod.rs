//! GGUF: reading the header of a file, and writing files.
//!
//! The format is described in `docs/gguf.md` of the ggml repository. Versions 2 and 3 are read,
//! little endian only; version 3 is written.

mod read;
mod write;

pub(crate) use read::{Header, read_header};
pub use write::{Body, Writer};

/// `general.alignment` where the file does not say.
const DEFAULT_ALIGNMENT: u64 = 32;

/// ggml has no tensors of higher rank, and neither do files made for it.
const MAX_DIMS: usize = 4;
