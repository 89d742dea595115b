//! Embedding, norm, GEMV and GEMM against their CPU twins.
//!
//! Errors are relative to the magnitude of what is summed, `sum |w x|`, because that is what f32 rounding scales
//! with. Worst seen on llvmpipe: embed_rows exact, norm_rms 2.2e-7, gemv 8.5e-8, gemm 9.1e-8.

mod activations;
mod candidates;
mod case;
mod embeddings;
mod matrices;
mod norms;
mod vectors;

pub(super) use activations::activations;
pub(super) use candidates::candidates;
pub(super) use embeddings::embeddings;
pub(super) use matrices::matrices;
pub(super) use norms::norms;
pub(super) use vectors::vectors;
