//! The GPU underneath qwill: one device, its capabilities, pipelines, buffers, submission and late readback.
//!
//! This crate knows nothing of models, tensors or shaders; [`qwill-kernels`] tells it which WGSL to compile and
//! which buffers to bind. Everything is async: a browser tab deadlocks on a synchronous buffer map.

mod arena;
mod buffer;
mod caps;
mod compile;
mod device;
mod error;
mod failure;
mod health;
mod pass;
mod pipeline;
mod readback;
mod timing;
mod upload;
mod wanted;

pub use arena::{ParamArena, ParamSlot};
pub use buffer::{Allocated, Buffer};
pub use caps::{Caps, CapsMask, MaskError, SubgroupWidth};
pub use device::{Gpu, GpuOptions, GpuTotals, Usage};
pub use error::Error;
#[cfg(not(target_arch = "wasm32"))]
pub use health::is_lost;
pub use pass::{Dispatch, Grid, Read, Step};
pub use pipeline::{Binding, KernelSource, PipelineId};
pub use readback::Readback;
pub use timing::{DeviceTimes, HostTimes};
pub use upload::Uploads;
pub use wanted::wanted;
pub use wgpu;
