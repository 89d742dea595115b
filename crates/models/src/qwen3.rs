//! Qwen3 dense: QK-norm instead of QKV bias, explicit `head_dim`.

use serde_json::json;

use crate::config::{Config, Default, Error, invalid};
use crate::plan::Plan;
use crate::qwen2::{Dense, dense};

/// Plan of a `qwen3` checkpoint.
pub(crate) fn plan(config: &Config) -> Result<Plan, Error> {
    if config.flag("attention_bias", Default::False)? {
        return Err(invalid(
            "attention_bias",
            &json!(true),
            "no released Qwen3 has these biases; they are unsupported",
        ));
    }
    let head_dim = config.count_opt("head_dim")?.unwrap_or(128);
    dense(config, &Dense { architecture: "qwen3", head_dim, qkv_bias: false, qk_norm: true })
}
