//! What the tests of every crate share: the [masks](MASKS) under which fallbacks are tried, a seeded [random
//! generator](Rng), a [device](Rig) to run kernels on, random [matrices](HostMatrix) in every layout,
//! [comparisons](Report) that say how far off a result is and where, and what the [reference](golden) says of whole models.
//! And the [checks] themselves, which hold every kernel to its CPU twin: tests run them at small odd sizes, on a real GPU
//! they run at those of released models.
//!
//! Native only, and everything here waits: the async API is for the library.

pub mod checks;
mod compare;
mod cores;
pub mod golden;
mod masks;
pub mod replies;
mod rig;
pub mod scripted;
mod step;
mod upload;

pub use compare::Report;
pub use cores::on_all_cores;
pub use masks::{Depth, MASKS, Mask};
pub use pollster::block_on;
pub use qwill_kernels::self_test::{HostMatrix, Rng, padded_rows, whole_blocks};
pub use rig::Rig;
pub use step::{TestSpan, TestStep};
pub use upload::Upload;
