//! Qwen3-MoE and Qwen3-Coder: attention of Qwen3, sparse layers without a shared expert.

use crate::config::{Config, Error};
use crate::decoder::Windowed;
use crate::mixture::{Sharing, Sparsity};
use crate::plan::Plan;
use crate::qwen3;

/// Plan of a `qwen3_moe` checkpoint.
pub(crate) fn plan(config: &Config) -> Result<Plan, Error> {
    let family = qwen3::family(config, "qwen3_moe", Windowed::EveryLayer)?;
    Sparsity::from_config(config, Sharing::None)?.plan(config, &family)
}
