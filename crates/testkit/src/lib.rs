//! What the tests of every crate share: the [masks](MASKS) under which fallbacks are tried, a seeded [random
//! generator](Rng), a [device](Rig) to run kernels on, random [matrices](HostMatrix) in every layout,
//! [comparisons](Report) that say how far off a result is and where, and what the [reference](golden) says of whole models.
//!
//! Native only, and everything here waits: the async API is for the library.

mod compare;
pub mod golden;
mod masks;
mod matrix;
mod rig;
mod rng;

pub use compare::Report;
pub use masks::{Depth, MASKS, Mask};
pub use matrix::{HostMatrix, padded_rows, whole_blocks};
pub use pollster::block_on;
pub use rig::Rig;
pub use rng::Rng;
