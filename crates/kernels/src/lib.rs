//! Typed launchers for the kernels in `shaders/`, and a CPU twin of each under [`cpu`].
//!
//! A launcher picks the permutation that suits the device, binds the buffers and says how the grid follows from the
//! step's shape. WGSL is never assembled here: the files in `shaders/` are complete but for template conditions.

mod attention;
mod cost;
pub mod cpu;
mod embed;
mod epilogue;
mod error;
mod experts;
mod findings;
mod gemm;
mod gemv;
mod grouping;
mod kv;
mod launch;
mod launchers;
mod matrix;
mod norm;
mod permutations;
mod project;
mod report;
mod routing;
mod row_order;
mod sample;
mod sampler;
pub mod self_test;
mod shapes;
mod silu_mul;
mod step;
mod templates;
mod tuning;
mod wrong;

pub use attention::{Attend, AttendBuffers, RotaryRows, Rotate, RotateBuffers, Visibility, prefill_rows};
pub use cost::Cost;
pub use epilogue::{Epilogue, EpilogueKind, Scaling, SlotWeight};
pub use error::Error;
pub use experts::{ExpertProject, ExpertRows};
pub use grouping::{Grouping, Groups};
pub use kv::{KvType, PAGE};
pub use launch::{Kernels, Launch};
pub use launchers::{
    combine_experts, embed_rows, gemm, gemm_experts, gemv, gemv_experts, group_tokens, norm_rms,
    report_logprobs, route_experts, sample_token, select_candidates, silu_mul,
};
pub use matrix::{DeviceMatrix, Shard, align_row};
pub use norm::NormRows;
pub use permutations::permutations;
pub use project::{FusedNorm, Project};
pub use report::{ReportBuffers, Reports};
pub use routing::{Routing, TopKWeights};
pub use row_order::RowOrder;
pub use sample::{Draws, SampleBuffers};
pub use sampler::{DrawClass, LogitBias, SamplerSettings};
pub use shapes::{GemmShape, GemvShape, Reduction, RowShape};
pub use step::{SpanShape, StepOutput, StepParts, StepReport, StepShape, StepSpan, TokenSource, step_words};
pub use templates::Templates;
pub use tuning::{Candidates, GEMM_MAX_TILE_M, Tuning, UpTo};
pub use wrong::{Choice, WrongKernel};
