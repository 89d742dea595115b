//! Model files as tensors: the containers (GGUF, safetensors, split and sharded) and the block
//! formats that the weights in them are stored in.
//!
//! - [`Checkpoint`] opens a model through [`ByteSource`]s, validates every size and offset, and
//!   hands out tensors row by row, so that a model of many gigabytes never lies in memory.
//! - [`dequantize`] and [`quantize`] convert whole blocks between stored bytes and `f32`.
//! - [`repack`] turns stored rows into the streams of `u32` words that the GPU kernels read
//!   ([`Layout`] describes them), and [`unpack`] is its inverse.
//! - [`Tensors`] is a checkpoint as the matrices of a model: GPTQ, AWQ and FP8 layers, which are
//!   spread over several tensors, look like any other.
//! - [`Pieces`] are the rows of many tensors, made into streams by all cores.
//! - [`gguf::Writer`] writes GGUF files of any size to any [`std::io::Write`].
//!
//! The crate knows nothing of GPUs and compiles for `wasm32-unknown-unknown`. All input is taken
//! for hostile: a bad file gives an [`Error`] that names what is wrong, never a panic, and never an
//! allocation larger than the file could fill.

mod block;
mod checkpoint;
mod dtype;
mod error;
pub mod gguf;
mod layout;
mod metadata;
mod packed;
mod pieces;
mod plain;
mod read_ahead;
mod rows;
mod safetensors;
mod source;
mod tensor;
mod tensors;

pub use block::{dequantize, quantize};
pub use checkpoint::{Checkpoint, Container};
pub use dtype::DType;
pub use error::Error;
pub use layout::{Group, Layout, repack, unpack};
pub use metadata::{Array, Metadata, Value};
pub use pieces::{Filled, Pieces};
pub use read_ahead::ReadAhead;
pub use source::{ByteSource, MemorySource, Shareable};
#[cfg(not(target_arch = "wasm32"))]
pub use source::{FilePart, FileSource};
pub use tensor::TensorInfo;
pub use tensors::{Tensor, TensorReader, Tensors};
