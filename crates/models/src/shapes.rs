//! Published configurations of Qwen1 to Qwen3, for planning and for benchmarks with random weights.
//!
//! The numbers are those of the released `config.json` files; keys that do not shape the computation are left out. A
//! test compares every plan with the parameter count of the reference implementation.

use serde_json::{Value, json};

use crate::Config;

/// A released model's configuration, without weights.
#[derive(Debug, Clone, PartialEq)]
pub struct Shape {
    /// Short name, such as `qwen3-0.6b`.
    pub name: &'static str,
    /// Its configuration, under the keys of the official `config.json`.
    pub config: Config,
}

/// Where the output matrix comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Output {
    /// The embedding, used twice.
    Tied,
    /// A matrix of its own.
    Own,
}
use Output::{Own, Tied};

/// How Qwen1 goes beyond the length that it was trained on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stretch {
    /// Dynamic NTK and LogN attention.
    NtkLogn,
    /// Not at all.
    None,
}

/// `(name, [layers, hidden, heads, doubled inner width, vocabulary, seq_length, positions], base, stretch)`
type Qwen1Row = (&'static str, [usize; 7], u32, Stretch);

const QWEN1: &[Qwen1Row] = &[
    ("qwen-1.8b", [24, 2048, 16, 11_008, 151_936, 8192, 8192], 10_000, Stretch::NtkLogn),
    ("qwen-7b", [32, 4096, 32, 22_016, 151_936, 8192, 32_768], 10_000, Stretch::NtkLogn),
    ("qwen-14b", [40, 5120, 40, 27_392, 152_064, 2048, 8192], 10_000, Stretch::NtkLogn),
    ("qwen-72b", [80, 8192, 64, 49_152, 152_064, 32_768, 32_768], 1_000_000, Stretch::None),
];

/// `(name, [layers, hidden, heads, kv_heads, inner width, vocabulary, positions], eps, output)`
type Row = (&'static str, [usize; 7], f64, Output);

const QWEN2: &[Row] = &[
    ("qwen1.5-0.5b", [24, 1024, 16, 16, 2816, 151_936, 32_768], 1e-6, Tied),
    ("qwen1.5-1.8b", [24, 2048, 16, 16, 5504, 151_936, 32_768], 1e-6, Own),
    ("qwen1.5-4b", [40, 2560, 20, 20, 6912, 151_936, 32_768], 1e-6, Own),
    ("qwen1.5-7b", [32, 4096, 32, 32, 11_008, 151_936, 32_768], 1e-6, Own),
    ("qwen1.5-14b", [40, 5120, 40, 40, 13_696, 152_064, 32_768], 1e-6, Own),
    ("qwen1.5-32b", [64, 5120, 40, 8, 27_392, 152_064, 32_768], 1e-6, Own),
    ("qwen1.5-72b", [80, 8192, 64, 64, 24_576, 152_064, 32_768], 1e-6, Own),
    ("qwen1.5-110b", [80, 8192, 64, 8, 49_152, 152_064, 32_768], 1e-6, Own),
    ("codeqwen1.5-7b", [32, 4096, 32, 4, 13_440, 92_416, 65_536], 1e-5, Own),
    ("qwen2.5-0.5b", [24, 896, 14, 2, 4864, 151_936, 32_768], 1e-6, Tied),
    ("qwen2.5-1.5b", [28, 1536, 12, 2, 8960, 151_936, 131_072], 1e-6, Tied),
    ("qwen2.5-3b", [36, 2048, 16, 2, 11_008, 151_936, 32_768], 1e-6, Tied),
    ("qwen2.5-7b", [28, 3584, 28, 4, 18_944, 152_064, 131_072], 1e-6, Own),
    ("qwen2.5-14b", [48, 5120, 40, 8, 13_824, 152_064, 131_072], 1e-5, Own),
    ("qwen2.5-32b", [64, 5120, 40, 8, 27_648, 152_064, 131_072], 1e-5, Own),
    ("qwen2.5-72b", [80, 8192, 64, 8, 29_568, 152_064, 131_072], 1e-5, Own),
];

/// A row with `[experts, top_k, inner width of an expert, inner width of the shared expert]`.
const QWEN2_MOE: &[(Row, [usize; 4])] = &[
    (("qwen1.5-moe-a2.7b", [24, 2048, 16, 16, 5632, 151_936, 8192], 1e-6, Own), [60, 4, 1408, 5632]),
    (("qwen2-57b-a14b", [28, 3584, 28, 4, 18_944, 151_936, 131_072], 1e-6, Own), [64, 8, 2560, 20_480]),
];

const QWEN3: &[Row] = &[
    ("qwen3-0.6b", [28, 1024, 16, 8, 3072, 151_936, 40_960], 1e-6, Tied),
    ("qwen3-1.7b", [28, 2048, 16, 8, 6144, 151_936, 40_960], 1e-6, Tied),
    ("qwen3-4b", [36, 2560, 32, 8, 9728, 151_936, 40_960], 1e-6, Tied),
    ("qwen3-8b", [36, 4096, 32, 8, 12_288, 151_936, 40_960], 1e-6, Own),
    ("qwen3-14b", [40, 5120, 40, 8, 17_408, 151_936, 40_960], 1e-6, Own),
    ("qwen3-32b", [64, 5120, 64, 8, 25_600, 151_936, 40_960], 1e-6, Own),
];

/// A row with `[experts, top_k, inner width of an expert]`.
const QWEN3_MOE: &[(Row, [usize; 3])] = &[
    (("qwen3-30b-a3b", [48, 2048, 32, 4, 6144, 151_936, 40_960], 1e-6, Own), [128, 8, 768]),
    (("qwen3-235b-a22b", [94, 4096, 64, 4, 12_288, 151_936, 40_960], 1e-6, Own), [128, 8, 1536]),
];

/// `(name, what it repeats, what it says differently)`; a variant may repeat one above it.
type Variant = (&'static str, &'static str, fn() -> Value);

const VARIANTS: &[Variant] = &[
    ("qwen1.5-4b-chat", "qwen1.5-4b", || theta(5e6)),
    ("qwen2-57b-a14b-instruct", "qwen2-57b-a14b", || positions(32_768)),
    ("qwen2-0.5b", "qwen2.5-0.5b", || positions(131_072)),
    ("qwen2-0.5b-instruct", "qwen2.5-0.5b", || json!({})),
    ("qwen2-1.5b", "qwen2.5-1.5b", || json!({})),
    ("qwen2-1.5b-instruct", "qwen2.5-1.5b", || positions(32_768)),
    ("qwen2-7b", "qwen2.5-7b", || json!({})),
    ("qwen2-7b-instruct", "qwen2.5-7b", || positions(32_768)),
    ("qwen2-72b", "qwen2.5-72b", || json!({"rms_norm_eps": 1e-6})),
    ("qwen2-72b-instruct", "qwen2-72b", || positions(32_768)),
    ("qwen2.5-0.5b-instruct", "qwen2.5-0.5b", || json!({})),
    ("qwen2.5-1.5b-instruct", "qwen2.5-1.5b", || positions(32_768)),
    ("qwen2.5-3b-instruct", "qwen2.5-3b", || json!({})),
    ("qwen2.5-7b-instruct", "qwen2.5-7b", || positions(32_768)),
    ("qwen2.5-14b-instruct", "qwen2.5-14b", || instruct(32_768)),
    ("qwen2.5-32b-instruct", "qwen2.5-32b", || instruct(32_768)),
    ("qwen2.5-72b-instruct", "qwen2.5-72b", || instruct(32_768)),
    ("qwen2.5-7b-instruct-1m", "qwen2.5-7b", || {
        let long = json!({"rms_norm_eps": 1e-5, "rope_theta": 1e7});
        merge(long, chunked(262_144, 8192))
    }),
    ("qwen2.5-14b-instruct-1m", "qwen2.5-14b", || merge(theta(1e7), chunked(262_144, 8192))),
    ("qwen2.5-coder-0.5b", "qwen2.5-0.5b", || json!({})),
    ("qwen2.5-coder-1.5b", "qwen2.5-1.5b", || positions(32_768)),
    ("qwen2.5-coder-3b", "qwen2.5-3b", || json!({})),
    ("qwen2.5-coder-7b", "qwen2.5-7b", || positions(32_768)),
    ("qwen2.5-coder-14b", "qwen2.5-14b", || positions(32_768)),
    ("qwen2.5-coder-32b", "qwen2.5-32b", || positions(32_768)),
    ("qwen2.5-math-1.5b", "qwen2.5-1.5b", || merge(theta(1e4), positions(4096))),
    ("qwen2.5-math-7b", "qwen2.5-7b", || merge(theta(1e4), positions(4096))),
    ("qwen2.5-math-72b", "qwen2.5-72b", || merge(theta(1e4), positions(4096))),
    ("qwen2.5-math-rm-72b", "qwen2.5-math-72b", || reward("Qwen2ForRewardModel", 1)),
    ("qwen2.5-math-prm-7b", "qwen2.5-math-7b", || reward("Qwen2ForProcessRewardModel", 2)),
    ("qwen2.5-math-prm-72b", "qwen2.5-math-72b", || reward("Qwen2ForProcessRewardModel", 2)),
    ("qwq-32b", "qwen2.5-32b", || json!({})),
    ("qwq-32b-preview", "qwen2.5-32b", || positions(32_768)),
    ("qwen3-0.6b-base", "qwen3-0.6b", || positions(32_768)),
    ("qwen3-1.7b-base", "qwen3-1.7b", || positions(32_768)),
    ("qwen3-4b-base", "qwen3-4b", || positions(32_768)),
    ("qwen3-8b-base", "qwen3-8b", || positions(32_768)),
    ("qwen3-14b-base", "qwen3-14b", || positions(32_768)),
    ("qwen3-30b-a3b-base", "qwen3-30b-a3b", || positions(32_768)),
    ("qwen3-4b-instruct-2507", "qwen3-4b", || merge(theta(5e6), positions(262_144))),
    ("qwen3-4b-thinking-2507", "qwen3-4b-instruct-2507", || json!({})),
    ("qwen3-30b-a3b-instruct-2507", "qwen3-30b-a3b", || merge(theta(1e7), positions(262_144))),
    ("qwen3-30b-a3b-thinking-2507", "qwen3-30b-a3b-instruct-2507", || json!({})),
    // The repository's config_1m.json without its table of sparse lines: dense attention is the exact method.
    ("qwen3-30b-a3b-instruct-2507-1m", "qwen3-30b-a3b-instruct-2507", || chunked(131_072, 4096)),
    ("qwen3-235b-a22b-instruct-2507", "qwen3-235b-a22b", || merge(theta(5e6), positions(262_144))),
    ("qwen3-235b-a22b-thinking-2507", "qwen3-235b-a22b-instruct-2507", || json!({})),
    ("qwen3-coder-30b-a3b", "qwen3-30b-a3b-instruct-2507", || json!({})),
    ("qwen3-coder-480b-a35b", "qwen3-coder-30b-a3b", || {
        json!({
            "num_hidden_layers": 62,
            "hidden_size": 6144,
            "num_attention_heads": 96,
            "num_key_value_heads": 8,
            "intermediate_size": 8192,
            "num_experts": 160,
            "moe_intermediate_size": 2560,
        })
    }),
    ("qwen3-embedding-0.6b", "qwen3-0.6b-base", || embedding(151_669)),
    ("qwen3-embedding-4b", "qwen3-4b", || embedding(151_665)),
    ("qwen3-embedding-8b", "qwen3-8b", || embedding(151_665)),
    ("qwen3-reranker-0.6b", "qwen3-0.6b", || json!({"vocab_size": 151_669})),
    ("qwen3-reranker-4b", "qwen3-4b", || json!({"vocab_size": 151_669})),
    ("qwen3-reranker-8b", "qwen3-8b", || json!({"vocab_size": 151_669})),
];

fn theta(theta: f64) -> Value {
    json!({"rope_theta": theta})
}

fn positions(n: usize) -> Value {
    json!({"max_position_embeddings": n})
}

/// What the larger instruct models of Qwen2.5 changed.
fn instruct(n: usize) -> Value {
    json!({"max_position_embeddings": n, "rms_norm_eps": 1e-6})
}

/// Dual chunk attention for a million tokens.
fn chunked(chunk_size: usize, local_size: usize) -> Value {
    json!({
        "max_position_embeddings": 1_010_000,
        "dual_chunk_attention_config": {
            "chunk_size": chunk_size,
            "local_size": local_size,
            "original_max_position_embeddings": chunk_size,
        },
    })
}

fn reward(class: &str, num_labels: usize) -> Value {
    json!({"architectures": [class], "num_labels": num_labels})
}

/// The repositories say `Qwen3ForCausalLM`; their files hold the base model without an output matrix.
fn embedding(vocab_size: usize) -> Value {
    json!({"architectures": ["Qwen3Model"], "vocab_size": vocab_size})
}

/// The keys of both; where both have one, the value in `more`.
fn merge(mut base: Value, more: Value) -> Value {
    if let (Value::Object(base), Value::Object(more)) = (&mut base, more) {
        base.extend(more);
    }
    base
}

fn qwen1(&(_, sizes, base, stretch): &Qwen1Row) -> Value {
    let [layers, hidden, heads, inner, vocab, seq_length, positions] = sizes;
    json!({
        "architectures": ["QWenLMHeadModel"],
        "model_type": "qwen",
        "num_hidden_layers": layers,
        "hidden_size": hidden,
        "num_attention_heads": heads,
        "kv_channels": 128,
        "intermediate_size": inner,
        "vocab_size": vocab,
        "layer_norm_epsilon": 1e-6,
        "rotary_emb_base": base,
        "rotary_pct": 1.0,
        "seq_length": seq_length,
        "max_position_embeddings": positions,
        "use_dynamic_ntk": stretch == Stretch::NtkLogn,
        "use_logn_attn": stretch == Stretch::NtkLogn,
        "no_bias": true,
        "tie_word_embeddings": false,
    })
}

/// The first release of Qwen-7B, which has other names for six keys.
fn qwen1_first() -> Value {
    let sizes = [32, 4096, 32, 22_016, 151_936, 2048, 6144];
    let mut config = qwen1(&("qwen-7b-v1.0", sizes, 10_000, Stretch::NtkLogn));
    let names = [
        ("num_hidden_layers", "n_layer"),
        ("hidden_size", "n_embd"),
        ("num_attention_heads", "n_head"),
        ("intermediate_size", "ffn_hidden_size"),
        ("vocab_size", "padded_vocab_size"),
        ("max_position_embeddings", "n_positions"),
    ];
    if let Value::Object(keys) = &mut config {
        for (new, old) in names {
            let value = keys.remove(new);
            keys.extend(value.map(|value| (old.to_owned(), value)));
        }
    }
    config
}

fn qwen2(&(_, sizes, eps, output): &Row) -> Value {
    let [layers, hidden, heads, kv_heads, inner, vocab, positions] = sizes;
    json!({
        "architectures": ["Qwen2ForCausalLM"],
        "model_type": "qwen2",
        "num_hidden_layers": layers,
        "hidden_size": hidden,
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "intermediate_size": inner,
        "vocab_size": vocab,
        "max_position_embeddings": positions,
        "tie_word_embeddings": output == Tied,
        "rms_norm_eps": eps,
        "rope_theta": 1e6,
        "use_sliding_window": false,
    })
}

fn qwen2_moe((row, [experts, top_k, inner, shared]): &(Row, [usize; 4])) -> Value {
    let sparse = json!({
        "architectures": ["Qwen2MoeForCausalLM"],
        "model_type": "qwen2_moe",
        "num_experts": experts,
        "num_experts_per_tok": top_k,
        "moe_intermediate_size": inner,
        "shared_expert_intermediate_size": shared,
        "norm_topk_prob": false,
        "decoder_sparse_step": 1,
        "mlp_only_layers": [],
    });
    merge(qwen2(row), sparse)
}

fn qwen3(row: &Row) -> Value {
    let dense = json!({
        "architectures": ["Qwen3ForCausalLM"],
        "model_type": "qwen3",
        "head_dim": 128,
        "attention_bias": false,
    });
    merge(qwen2(row), dense)
}

fn qwen3_moe((row, [experts, top_k, inner]): &(Row, [usize; 3])) -> Value {
    let sparse = json!({
        "architectures": ["Qwen3MoeForCausalLM"],
        "model_type": "qwen3_moe",
        "num_experts": experts,
        "num_experts_per_tok": top_k,
        "moe_intermediate_size": inner,
        "norm_topk_prob": true,
        "decoder_sparse_step": 1,
        "mlp_only_layers": [],
    });
    merge(qwen3(row), sparse)
}

/// Every published shape.
pub fn published_shapes() -> Vec<Shape> {
    let mut all: Vec<(&'static str, Value)> = Vec::new();
    all.extend(QWEN1.iter().map(|row| (row.0, qwen1(row))));
    all.push(("qwen-7b-v1.0", qwen1_first()));
    all.extend(QWEN2.iter().map(|row| (row.0, qwen2(row))));
    all.extend(QWEN2_MOE.iter().map(|row| (row.0.0, qwen2_moe(row))));
    all.extend(QWEN3.iter().map(|row| (row.0, qwen3(row))));
    all.extend(QWEN3_MOE.iter().map(|row| (row.0.0, qwen3_moe(row))));
    for &(name, repeated, differences) in VARIANTS {
        let repeated = all.iter().find(|(other, _)| *other == repeated).map(|(_, config)| config.clone());
        all.extend(repeated.map(|config| (name, merge(config, differences()))));
    }
    all.into_iter().map(|(name, config)| Shape { name, config: Config::new(config) }).collect()
}

/// The shape of that name, whatever its case. Where a chat release has the configuration of its base model, the base's
/// name with `-chat` or `-instruct` finds it too.
pub fn published_shape(name: &str) -> Option<Shape> {
    let name = name.to_ascii_lowercase();
    let base = name.strip_suffix("-chat").or_else(|| name.strip_suffix("-instruct"));
    let shapes = published_shapes();
    let find = |name: &str| shapes.iter().find(|shape| shape.name == name).cloned();
    find(&name).or_else(|| find(base?))
}
