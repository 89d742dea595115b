//! A CPU twin of every kernel in `shaders/`, under the name of its WGSL file: the same maths on the same inputs, in
//! f64 and without any cleverness. They say what a kernel computes, and the tests hold the kernels to it.
//!
//! Matrices are row-major and without the padding that the device adds; [`k_unit`] and [`v_unit`] say where a key
//! or value lies in the paged cache.

mod attend_decode;
mod attend_merge;
mod attend_prefill;
mod combine_experts;
mod embed_rows;
mod gemm;
mod gemv;
mod gemv_experts;
mod group_tokens;
mod kv;
mod norm_rms;
mod report_logprobs;
mod rotate_heads;
mod route_experts;
mod sample_token;
mod select_candidates;
mod silu_mul;
mod visibility;

pub use attend_decode::{Partial, attend_decode};
pub use attend_merge::attend_merge;
pub use attend_prefill::attend_prefill;
pub use combine_experts::combine_experts;
pub use embed_rows::embed_rows;
pub use gemm::gemm;
pub use gemv::{Finish, finish, gemv, interleave_gate_up};
pub use gemv_experts::gemv_experts;
pub use group_tokens::{Tile, group_tokens};
pub use kv::{decode_q8, encode_q8, k_unit, v_unit};
pub use norm_rms::norm_rms;
pub use report_logprobs::{Logprobs, report_logprobs};
pub use rotate_heads::{Rotated, rotate_heads};
pub use route_experts::route_experts;
pub use sample_token::{Drawn, Kept, sample_token, uniform_number};
pub use select_candidates::{Candidate, adjusted, select_candidates};
pub use silu_mul::silu_mul;

/// `sum_k a[k] * b[k]`.
fn dot(a: &[f32], b: &[f32]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
}

/// `1 / sqrt(mean(x^2) + eps)`.
fn inverse_rms(x: &[f32], eps: f64) -> f64 {
    (dot(x, x) / x.len() as f64 + eps).sqrt().recip()
}
