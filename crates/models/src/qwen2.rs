//! Qwen1.5, Qwen2, Qwen2.5 and QwQ, dense: QKV bias, plain RMSNorm, SwiGLU.

use crate::config::{Config, Error};
use crate::decoder::{self, Family, QkNorm, QkvBias, Windowed, dense_block, head_dim_or_quotient};
use crate::plan::Plan;

/// Plan of a `qwen2` checkpoint.
pub(crate) fn plan(config: &Config) -> Result<Plan, Error> {
    let family = Family {
        architecture: "qwen2",
        head_dim: head_dim_or_quotient(config)?,
        bias: QkvBias::Present,
        qk_norm: QkNorm::Absent,
        windowed: Windowed::UpperLayers,
    };
    decoder::plan(config, &family, |layers, layer| Ok(dense_block(layers, layer)))
}
