//! GGUF metadata as a `config.json`, and back.

use qwill_weights::{Checkpoint, Error, Metadata, Value as Stored};
use serde_json::{Map, Value, json};

use crate::gguf_keys;
use crate::rope_parameters::rope_parameters;
use crate::{Config, Outputs, Plan};

/// Where files of ours keep the configuration that GGUF has no keys for, as a JSON object. Other programs pass over it.
const OWN_KEY: &str = "qwill.config";

/// What goes there when it is in use: the keys, and the flag that switches them on, where there is one.
const OWN: &[(Option<&str>, &[&str])] = &[
    (
        Some("use_sliding_window"),
        &["use_sliding_window", "sliding_window", "max_window_layers", "layer_types"],
    ),
    (Some("use_dynamic_ntk"), &["use_dynamic_ntk"]),
    (Some("use_logn_attn"), &["use_logn_attn"]),
    (
        None,
        &["seq_length", "layer_windows", "dual_chunk_attention_config", "rope_scaling", "rope_parameters"],
    ),
    (None, &["qkv_bias", "num_labels", "id2label", "is_causal"]),
];

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
        ("kv_channels", "attention.key_length"),
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
    let numbers = [
        ("rms_norm_eps", "attention.layer_norm_rms_epsilon"),
        ("rope_theta", "rope.freq_base"),
        ("rotary_emb_base", "rope.freq_base"),
    ];
    for (hf, gguf) in numbers {
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
    if metadata.get_bool(&key("attention.causal"))? == Some(false) {
        config.insert("is_causal".into(), json!(false));
    }
    if let Some(act) = metadata.get_str(&key("hidden_activation"))? {
        config.insert("hidden_act".into(), json!(act));
    }
    if let Some(own) = metadata.get_str(OWN_KEY)? {
        let wrong = || Error::KeyType {
            key: OWN_KEY.to_owned(),
            expected: "a JSON object",
            found: Stored::from(own).to_string(),
        };
        config.extend(serde_json::from_str::<Map<String, Value>>(own).map_err(|_| wrong())?);
    }
    gguf_keys::check(metadata, architecture, &config)?;
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
        // as converters wrote it before there were others
        let linear = metadata.get_f64(&key("rope.scale_linear"))?.filter(|factor| *factor != 1.0);
        return Ok(linear.map(|factor| json!({"rope_type": "linear", "factor": factor})));
    };
    let mut scaling = Map::new();
    scaling.insert("rope_type".into(), json!(kind));
    for (hf, gguf) in [("beta_fast", "yarn_beta_fast"), ("beta_slow", "yarn_beta_slow")] {
        if let Some(beta) = metadata.get_f64(&key(&format!("rope.scaling.{gguf}")))? {
            scaling.insert(hf.into(), json!(beta));
        }
    }
    if let Some(factor) = metadata.get_f64(&key("rope.scaling.factor"))? {
        scaling.insert("factor".into(), json!(factor));
    }
    if let Some(original) = metadata.get_u64(&key("rope.scaling.original_context_length"))? {
        scaling.insert("original_max_position_embeddings".into(), json!(original));
    }
    Ok(Some(Value::Object(scaling)))
}

/// The metadata that a GGUF file of this model has ("LLM" keys of the specification, and `general.architecture`): the
/// inverse of [`config_from_gguf`]. `plan` is the plan of `config`.
///
/// Windows, dual chunks, dynamic NTK, LogN attention and heads other than a language model's have no keys; they are kept
/// under a key of ours, so that other programs see the model without them.
pub fn gguf_from_config(config: &Config, plan: &Plan) -> Vec<(String, Stored)> {
    let architecture = plan.architecture.replace('_', "");
    let dims = &plan.dims;
    let count = |key: &'static str| config.count_opt(key).ok().flatten();
    let is_first_family = architecture == "qwen";
    let counts = [
        ("block_count", Some(dims.n_layers)),
        (
            "context_length",
            count("max_position_embeddings").or(count("n_positions")).or(Some(dims.context_length)),
        ),
        ("embedding_length", Some(dims.hidden_size)),
        // GGUF files of Qwen1 count both halves, as its configuration does
        (
            "feed_forward_length",
            if is_first_family { Some(2 * dims.intermediate_size) } else { count("intermediate_size") },
        ),
        ("attention.head_count", Some(dims.n_heads)),
        ("attention.head_count_kv", Some(dims.n_kv_heads)),
        ("attention.key_length", Some(dims.head_dim)),
        ("attention.value_length", Some(dims.head_dim)),
        ("rope.dimension_count", Some(plan.rope.rotary_dim)),
        ("expert_count", count("num_experts")),
        ("expert_used_count", count("num_experts_per_tok")),
        ("expert_feed_forward_length", count("moe_intermediate_size")),
        ("expert_shared_feed_forward_length", count("shared_expert_intermediate_size")),
        // the last token's state
        ("pooling_type", (plan.head.outputs == Outputs::States).then_some(3)),
    ];
    let key = |name: &str| format!("{architecture}.{name}");
    let mut metadata = vec![("general.architecture".to_owned(), Stored::from(architecture.as_str()))];
    metadata.extend(counts.into_iter().filter_map(|(name, n)| Some((key(name), Stored::U32(n? as u32)))));

    let scaling = rope_parameters(config).ok().flatten().map(Value::Object);
    let scaling = scaling.as_ref();
    let number = |of: Option<&Value>, name: &str| of.and_then(|of| of.get(name)).and_then(Value::as_f64);
    let theta = number(scaling, "rope_theta")
        .or_else(|| {
            config.get("rope_theta").or_else(|| config.get("rotary_emb_base")).and_then(Value::as_f64)
        })
        .unwrap_or(10_000.0);
    metadata.push((key("rope.freq_base"), Stored::F32(theta as f32)));
    metadata.push((key("attention.layer_norm_rms_epsilon"), Stored::F32(dims.rms_norm_eps)));
    let kind = scaling.and_then(|s| s.get("rope_type").or_else(|| s.get("type"))).and_then(Value::as_str);
    if let Some(kind) = kind.filter(|kind| ["linear", "yarn"].contains(kind)) {
        metadata.push((key("rope.scaling.type"), Stored::from(kind)));
        let original = number(scaling, "original_max_position_embeddings");
        let implied = original.and_then(|n| Some(count("max_position_embeddings")? as f64 / n));
        if let Some(factor) = number(scaling, "factor").or(implied) {
            metadata.push((key("rope.scaling.factor"), Stored::F32(factor as f32)));
        }
        if let Some(original) = original {
            metadata.push((key("rope.scaling.original_context_length"), Stored::U32(original as u32)));
        }
    }
    if let Some(is_renormalised) = config.get("norm_topk_prob").and_then(Value::as_bool)
        && is_renormalised != (architecture == "qwen3moe")
    {
        metadata.push((key("expert_weights_norm"), Stored::Bool(is_renormalised)));
    }
    if config.get("is_causal") == Some(&json!(false)) {
        metadata.push((key("attention.causal"), Stored::Bool(false)));
    }
    let own = own_keys(config, plan);
    if !own.is_empty() {
        metadata.push((OWN_KEY.to_owned(), Stored::String(Value::Object(own).to_string())));
    }
    metadata
}

fn own_keys(config: &Config, plan: &Plan) -> Map<String, Value> {
    let is_on = |flag: &Option<&str>| flag.is_none_or(|flag| config.get(flag) == Some(&json!(true)));
    let keys = OWN.iter().filter(|(flag, _)| is_on(flag)).flat_map(|(_, keys)| *keys);
    let mut own: Map<String, Value> =
        keys.filter_map(|&key| Some((key.to_owned(), config.get(key)?.clone()))).collect();
    if own.contains_key("seq_length") {
        // Qwen1 has two lengths, of which GGUF keeps the longer
        own.extend(
            config.get("max_position_embeddings").map(|n| ("max_position_embeddings".to_owned(), n.clone())),
        );
    }
    let class = config.get("architectures").and_then(|a| a.get(0)).and_then(Value::as_str);
    let generates = |class: &&str| class.ends_with("LMHeadModel") || class.ends_with("ForCausalLM");
    if let Some(class) = class.filter(|class| !generates(class)) {
        own.insert("architectures".into(), json!([class]));
        own.extend(config.get("pad_token_id").map(|id| ("pad_token_id".to_owned(), id.clone())));
    } else if plan.head.outputs == Outputs::States {
        // An embedding model under the name of a language model: without its own, a file without an output matrix
        // would be taken for one that uses the embedding twice.
        own.insert("architectures".into(), json!([base_class(plan.architecture)]));
    }
    own
}

/// The class of a family without a head: `Qwen3MoeModel` for `qwen3_moe`.
fn base_class(architecture: &str) -> String {
    let capitalised = architecture.split('_').map(|part| part[..1].to_uppercase() + &part[1..]);
    capitalised.collect::<String>() + "Model"
}
