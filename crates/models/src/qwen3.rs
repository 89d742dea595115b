//! Qwen3 dense: QK-norm instead of QKV bias, explicit `head_dim`.

use serde_json::json;

use crate::config::{Config, Default, Error, invalid};
use crate::decoder::{self, Family, QkNorm, QkvBias, Windowed, dense_block};
use crate::plan::Plan;

/// Plan of a `qwen3` checkpoint.
pub(crate) fn plan(config: &Config) -> Result<Plan, Error> {
    let family = family(config, "qwen3", Windowed::UpperLayers)?;
    decoder::plan(config, &family, |layers, layer| Ok(dense_block(layers, layer)))
}

/// What Qwen3 and its mixtures have in common.
pub(crate) fn family(
    config: &Config,
    architecture: &'static str,
    windowed: Windowed,
) -> Result<Family, Error> {
    if config.flag("attention_bias", Default::False)? {
        return Err(invalid(
            "attention_bias",
            &json!(true),
            "no released Qwen3 has these biases; they are unsupported",
        ));
    }
    let head_dim = config.count_opt("head_dim")?.unwrap_or(128);
    Ok(Family { architecture, head_dim, bias: QkvBias::Absent, qk_norm: QkNorm::PerHead, windowed })
}
