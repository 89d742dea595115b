//! The scheduler against an executor that has a cache and slots, but a hash for a model.

mod fairness;
mod fake;
mod guesses;
mod limiter;
mod limits;
mod random;
mod reuse;
mod rig;
mod rng;
mod setbacks;
