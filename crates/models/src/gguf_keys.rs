//! Metadata keys of GGUF files that change what a model computes, and that no plan of ours follows: refused by name.

use qwill_weights::{Error, Metadata};
use serde_json::{Map, Value};

/// Numbers, what they may be, and why.
const NUMBERS: &[(&str, &[f64], &str)] = &[
    ("rope.scaling.attn_factor", &[1.0], "1 (angles are not scaled besides YaRN)"),
    ("rope.scaling.yarn_attn_factor", &[1.0], "1 (angles are not scaled besides YaRN)"),
    ("rope.scaling.yarn_ext_factor", &[1.0], "1 (YaRN as in its paper)"),
    ("rope.scaling.yarn_log_multiplier", &[0.0], "absent (YaRN as in its paper)"),
    ("rope.scaling.alpha", &[0.0], "absent (this scaling is not supported)"),
    ("attention.clamp_kqv", &[0.0], "absent (clamped keys and values are not supported)"),
    ("attention.max_alibi_bias", &[0.0], "absent (ALiBi is not supported)"),
    ("attn_logit_softcapping", &[0.0], "absent (capped scores are not supported)"),
    ("final_logit_softcapping", &[0.0], "absent (capped logits are not supported)"),
    ("logit_scale", &[0.0, 1.0], "absent (scaled logits are not supported)"),
    ("residual_scale", &[0.0, 1.0], "absent (scaled residuals are not supported)"),
    ("embedding_scale", &[0.0, 1.0], "absent (scaled embeddings are not supported)"),
    ("expert_weights_scale", &[0.0, 1.0], "1 (outputs of experts are not scaled)"),
    ("expert_gating_func", &[0.0, 1.0], "1 (experts are scored by softmax)"),
    ("expert_group_count", &[0.0, 1.0], "1 (experts in groups are not supported)"),
    ("use_parallel_residual", &[0.0], "false (attention and feed-forward follow each other)"),
    ("pooling_type", &[0.0, 3.0, 4.0], "3 (an embedding is the last token's state)"),
];

/// Refuses what would be ignored. `config` is what was made of the other keys.
pub(crate) fn check(
    metadata: &Metadata,
    architecture: &str,
    config: &Map<String, Value>,
) -> Result<(), Error> {
    let number = |name: &str| -> Result<(String, Option<f64>), Error> {
        let key = format!("{architecture}.{name}");
        let value = match name {
            "use_parallel_residual" => metadata.get_bool(&key)?.map(f64::from),
            _ => metadata.get_f64(&key)?,
        };
        Ok((key, value))
    };
    let refuse = |key: String, expected: &'static str, found: f64| {
        Err(Error::KeyType { key, expected, found: found.to_string() })
    };
    for &(name, served, expected) in NUMBERS {
        match number(name)? {
            (key, Some(found)) if !served.contains(&found) => return refuse(key, expected, found),
            _ => {}
        }
    }
    let known = |key: &str| config.get(key).and_then(Value::as_f64);
    let head_dim = known("head_dim");
    for (name, expected) in [
        ("rope.dimension_count", "the size of a head (only models that rotate whole heads are supported)"),
        ("attention.value_length", "the size of a head (values as wide as keys)"),
    ] {
        match number(name)? {
            (key, Some(found)) if head_dim.is_some_and(|size| size != found) => {
                return refuse(key, expected, found);
            }
            _ => {}
        }
    }
    if let (key, Some(found)) = number("attention.scale")?
        && found != 0.0
        && head_dim.is_some_and(|size| (found * size.sqrt() - 1.0).abs() > 1e-4)
    {
        return refuse(key, "absent (scores are scaled by the root of the head's size)", found);
    }
    if let (key, Some(found)) = number("rope.freq_base_swa")?
        && known("rope_theta").is_some_and(|theta| (found / theta - 1.0).abs() > 1e-6)
    {
        return refuse(key, "rope.freq_base (positions are the same in all layers)", found);
    }
    // GGUF does not say which layers slide; a window that no text fills is none.
    let is_ours = config.get("use_sliding_window") == Some(&Value::Bool(true));
    if let (key, Some(found)) = number("attention.sliding_window")?
        && found != 0.0
        && !is_ours
        && known("max_position_embeddings").is_none_or(|context| found < context)
    {
        return refuse(key, "absent or at least the context (which layers slide is not known)", found);
    }
    Ok(())
}
