//! The Qwen families: a checkpoint's configuration becomes a [`Plan`], a list of abstract operations with the names and
//! shapes of the tensors they use.
//!
//! A plan names no buffer, pipeline or shader; the runtime decides how each operation runs. A new family is one file
//! here, one line in [`registry`], and a golden.

mod config;
mod decoder;
mod gguf;
mod gguf_keys;
mod head;
mod layer_types;
mod mixture;
mod plan;
mod qwen1;
mod qwen2;
mod qwen2_moe;
mod qwen3;
mod qwen3_moe;
mod registers;
mod registry;
mod rope;
mod rope_parameters;
mod rope_scaling;
mod shapes;
pub mod step;
mod stream;
mod unserved;
mod weights;

pub use config::{Config, Error};
pub use gguf::{config_from_gguf, gguf_from_config};
pub use plan::{
    Arrangement, Attention, Dims, Direction, Embedding, Expert, ExpertSlice, Head, HeadLayer, HeadThen,
    Mixture, Norm, Op, Outputs, Plan, PreNorm, Projection, Rotation, Scored, SharedExpert, TensorRef, Then,
    TopKWeights, Weight,
};
pub use registers::{Register, RegisterRows, RegisterShape, Registers};
pub use registry::{known_architectures, plan};
pub use rope::{DualChunks, Extension, Rope, RotaryRows};
pub use rope_scaling::{NoRopeScaling, RopeScaling};
pub use shapes::{Shape, published_shape, published_shapes};
pub use weights::WeightUse;
