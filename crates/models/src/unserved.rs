//! Keys of a configuration that change what a model computes, and that no plan of ours follows: refused by name, because
//! a model that ignores them runs and writes nonsense.

use serde_json::{Value, json};

use crate::config::{Config, Error, invalid};

/// The only value of a key that plans follow.
struct Served {
    key: &'static str,
    is_served: fn(&Value) -> bool,
    expected: &'static str,
}

const SERVED: &[Served] = &[
    Served {
        key: "hidden_act",
        is_served: |act| act == "silu" || act == "swish",
        expected: "only \"silu\" is supported, the activation of every Qwen",
    },
    Served {
        key: "partial_rotary_factor",
        is_served: is_one,
        expected: "only models that rotate whole heads (1.0) are supported",
    },
    Served { key: "rotary_pct", is_served: is_one, expected: "every release rotates whole heads (1.0)" },
    Served { key: "no_bias", is_served: is_true, expected: "no release has biases outside of attention" },
    Served { key: "scale_attn_weights", is_served: is_true, expected: "scores are always scaled" },
    Served {
        key: "mlp_bias",
        is_served: is_false,
        expected: "biases of feed-forward networks are not supported",
    },
    Served {
        key: "use_bidirectional_attention",
        is_served: is_false,
        expected: "attention to both sides is said by \"is_causal\": false",
    },
    Served {
        key: "scoring_func",
        is_served: |f| f == "softmax",
        expected: "experts are scored by \"softmax\"",
    },
    Served { key: "routed_scaling_factor", is_served: is_one, expected: "outputs of experts are not scaled" },
    Served { key: "n_group", is_served: is_one, expected: "experts in groups are not supported" },
    Served {
        key: "final_logit_softcapping",
        is_served: is_zero,
        expected: "capped logits are not supported",
    },
    Served { key: "attn_logit_softcapping", is_served: is_zero, expected: "capped scores are not supported" },
    Served { key: "logit_scale", is_served: is_one, expected: "scaled logits are not supported" },
];

fn is_one(value: &Value) -> bool {
    value.as_f64() == Some(1.0)
}

fn is_zero(value: &Value) -> bool {
    value.as_f64() == Some(0.0)
}

fn is_true(value: &Value) -> bool {
    *value == json!(true)
}

fn is_false(value: &Value) -> bool {
    *value == json!(false)
}

/// Refuses what would be ignored.
pub(crate) fn check(config: &Config) -> Result<(), Error> {
    for Served { key, is_served, expected } in SERVED {
        if let Some(value) = config.get(key)
            && !is_served(value)
        {
            return Err(invalid(key, value, *expected));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_plan_follows_is_named() {
        let check = |key: &str, value: Value| super::check(&Config::new(json!({ key: value })));
        for (key, value) in [
            ("hidden_act", json!("gelu")),
            ("hidden_act", json!("relu2")),
            ("hidden_act", json!(3)),
            ("partial_rotary_factor", json!(0.5)),
            ("mlp_bias", json!(true)),
            ("scoring_func", json!("sigmoid")),
            ("attn_logit_softcapping", json!(30.0)),
        ] {
            let message = check(key, value.clone()).unwrap_err().to_string();
            assert!(message.contains(key) && message.contains(&value.to_string()), "{message}");
        }
        for (key, value) in [
            ("hidden_act", json!("silu")),
            ("hidden_act", Value::Null),
            ("partial_rotary_factor", json!(1)),
            ("mlp_bias", json!(false)),
        ] {
            assert_eq!(check(key, value), Ok(()));
        }
    }
}
