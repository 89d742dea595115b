//! Qwen1.5-MoE and Qwen2-MoE: attention of Qwen2, sparse layers with a gated shared expert.

use crate::config::{Config, Default, Error};
use crate::decoder::{Family, QkNorm, QkvBias, Windowed, head_dim_or_quotient};
use crate::mixture::{Sharing, Sparsity};
use crate::plan::Plan;

/// Plan of a `qwen2_moe` checkpoint.
pub(crate) fn plan(config: &Config) -> Result<Plan, Error> {
    let bias = match config.flag("qkv_bias", Default::True)? {
        true => QkvBias::Present,
        false => QkvBias::Absent,
    };
    let family = Family {
        architecture: "qwen2_moe",
        head_dim: head_dim_or_quotient(config)?,
        bias,
        qk_norm: QkNorm::Absent,
        windowed: Windowed::EvenLowerLayers,
    };
    Sparsity::from_config(config, Sharing::GatedExpert)?.plan(config, &family)
}
