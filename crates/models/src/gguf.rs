//! GGUF metadata as a `config.json`.

use qwill_weights::{Checkpoint, Error, Metadata};
use serde_json::{Map, Value, json};

use crate::Config;

/// Makes the `config.json` that a GGUF file's metadata stands for (GGUF specification, "LLM" keys).
///
/// `tie_word_embeddings` follows from the tensors: GGUF has no key for it, a file without `output.weight` is tied.
pub fn config_from_gguf(checkpoint: &Checkpoint) -> Result<Config, Error> {
    let metadata = checkpoint.metadata();
    let architecture = metadata.get_str("general.architecture")?.unwrap_or_default();
    let key = |name: &str| format!("{architecture}.{name}");
    let mut config = Map::new();
    config.insert("model_type".into(), json!(architecture));
    let counts = [
        ("hidden_size", "embedding_length"),
        ("num_hidden_layers", "block_count"),
        ("num_attention_heads", "attention.head_count"),
        ("num_key_value_heads", "attention.head_count_kv"),
        ("head_dim", "attention.key_length"),
        ("intermediate_size", "feed_forward_length"),
        ("max_position_embeddings", "context_length"),
        ("seq_length", "context_length"),
        ("num_experts", "expert_count"),
        ("num_experts_per_tok", "expert_used_count"),
        ("moe_intermediate_size", "expert_feed_forward_length"),
        ("shared_expert_intermediate_size", "expert_shared_feed_forward_length"),
    ];
    for (hf, gguf) in counts {
        if let Some(n) = metadata.get_u64(&key(gguf))? {
            config.insert(hf.into(), json!(n));
        }
    }
    for (hf, gguf) in [("rms_norm_eps", "attention.layer_norm_rms_epsilon"), ("rope_theta", "rope.freq_base")]
    {
        if let Some(n) = metadata.get_f64(&key(gguf))? {
            // f32 in the file: 1e-6 must not become 9.999999974752427e-7
            config.insert(hf.into(), json!((n as f32).to_string().parse::<f64>().unwrap_or(n)));
        }
    }
    if config.contains_key("num_experts") {
        experts(&mut config, checkpoint, architecture, metadata.get_bool(&key("expert_weights_norm"))?);
    }
    if let Some(scaling) = rope_scaling(metadata, &key)? {
        config.insert("rope_scaling".into(), scaling);
    }
    // A GGUF file that says nothing of the head size means hidden_size / heads, whatever the family's default.
    if !config.contains_key("head_dim") {
        let size = |k: &str| config.get(k).and_then(Value::as_u64).filter(|&n| n > 0);
        if let (Some(hidden), Some(heads)) = (size("hidden_size"), size("num_attention_heads")) {
            config.insert("head_dim".into(), json!(hidden / heads));
        }
    }
    if let Some(rows) = checkpoint.tensor("token_embd.weight").and_then(|t| t.shape.first()) {
        config.insert("vocab_size".into(), json!(rows));
    }
    config.insert("tie_word_embeddings".into(), json!(checkpoint.tensor("output.weight").is_none()));
    Ok(Config::new(Value::Object(config)))
}

/// What files leave out about experts: widths that older converters did not write follow from the tensors, and so does
/// which layers are dense.
fn experts(
    config: &mut Map<String, Value>,
    checkpoint: &Checkpoint,
    architecture: &str,
    is_renormalised: Option<bool>,
) {
    let n_layers = config.get("num_hidden_layers").and_then(Value::as_u64).unwrap_or_default() as usize;
    let gate =
        |layer: usize, suffix: &str| checkpoint.tensor(&format!("blk.{layer}.ffn_gate_{suffix}.weight"));
    let is_sparse = |layer: &usize| gate(*layer, "exps").is_some();
    let dense: Vec<usize> = (0..n_layers).filter(|layer| !is_sparse(layer)).collect();
    if let Some(sparse) = (0..n_layers).find(is_sparse) {
        for (name, suffix) in
            [("moe_intermediate_size", "exps"), ("shared_expert_intermediate_size", "shexp")]
        {
            // [n_experts, width, hidden_size] or [width, hidden_size]
            let width = gate(sparse, suffix).and_then(|tensor| tensor.shape.iter().rev().nth(1));
            if let (Some(width), false) = (width, config.contains_key(name)) {
                config.insert(name.into(), json!(width));
            }
        }
    }
    config.insert("mlp_only_layers".into(), json!(dense));
    // Converters write the key only where it differs from what the family does.
    config.insert("norm_topk_prob".into(), json!(is_renormalised.unwrap_or(architecture == "qwen3moe")));
}

fn rope_scaling(metadata: &Metadata, key: &dyn Fn(&str) -> String) -> Result<Option<Value>, Error> {
    let Some(kind) = metadata.get_str(&key("rope.scaling.type"))?.filter(|k| *k != "none") else {
        return Ok(None);
    };
    let mut scaling = Map::new();
    scaling.insert("rope_type".into(), json!(kind));
    if let Some(factor) = metadata.get_f64(&key("rope.scaling.factor"))? {
        scaling.insert("factor".into(), json!(factor));
    }
    if let Some(original) = metadata.get_u64(&key("rope.scaling.original_context_length"))? {
        scaling.insert("original_max_position_embeddings".into(), json!(original));
    }
    Ok(Some(Value::Object(scaling)))
}
