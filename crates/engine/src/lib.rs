//! A model on a device.
//!
//! - A `Loader` makes room for the weights that a plan names and fills it from a checkpoint's tensors, piece by piece;
//!   [`WeightSource`] knows their shapes on the device before anything is read.
//! - An [`Engine`] binds a plan to those weights, to caches and to the buffers of a step, and runs
//!   [`Step`](qwill_models::step::Step)s: one write and one submit each. It decides nothing: who asks for steps knows what
//!   is in the cache.
//! - A [`LoraFile`] has the factors that an adapter adds to matrices; the engine keeps them beside the weights.
//!
//! It knows no text, no files and no requests.

mod control;
mod engine;
mod error;
mod loader;
mod lora;

pub use control::{Control, LoadProgress};
pub use engine::{
    Engine, EngineOptions, MAX_OUTPUTS, MAX_STEPS, Pending, Purpose, Ready, Size, Sizes, StepCost, Written,
    layer_cache_bytes, widest_row_bytes,
};
pub use error::{Error, TensorError};
pub use loader::{Loader, MatrixShape, StoredRows, WeightSource, Weights, find, vector_bytes};
pub use lora::{AdapterInfo, LoraFile};
