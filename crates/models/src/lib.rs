//! The Qwen families: a checkpoint's configuration becomes a [`Plan`], a list of abstract operations with the names and
//! shapes of the tensors they use.
//!
//! A plan names no buffer, pipeline or shader; the runtime decides how each operation runs. A new family is one file
//! here, one line in [`registry`], and a golden.

mod config;
mod gguf;
mod plan;
mod qwen2;
mod qwen3;
mod registry;
mod rope;
mod shapes;

pub use config::{Config, Error};
pub use gguf::config_from_gguf;
pub use plan::{
    Activation, Arrangement, Attention, Dims, Head, Norm, Op, Plan, Projection, Rotation, TensorRef, Then,
    Weight,
};
pub use registry::{known_architectures, plan};
pub use rope::Rope;
pub use shapes::{Shape, published_shape, published_shapes};
