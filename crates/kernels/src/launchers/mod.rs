//! Launchers of kernels: each takes the best candidate of the device's tuning where there is a choice, tries it on the device
//! where a self-test is under way, and binds it.

mod attention;
mod mixture;
mod projections;
mod rows;
mod sampling;

pub use self::mixture::{combine_experts, group_tokens, route_experts};
pub use self::projections::{gemm, gemm_experts, gemv, gemv_experts};
pub use self::rows::{embed_rows, norm_rms, silu_mul};
pub use self::sampling::{report_logprobs, sample_token, select_candidates};
