//! Measuring what a device can do at most, with kernels that do nothing else (`shaders/measure`).

mod meter;
mod shaders;
mod stopwatch;

pub(crate) use meter::Meter;
pub(crate) use shaders::{
    Order, Scalar, dot_bytes, launch_nothing, multiply_add, multiply_matrices, read_stream,
};
pub(crate) use stopwatch::Stopwatch;
