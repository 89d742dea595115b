//! Qwen1.5, Qwen2, Qwen2.5 and QwQ, dense: QKV bias, plain RMSNorm, SwiGLU.

use serde_json::json;

use crate::Rope;
use crate::config::{Config, Default, Error, invalid};
use crate::plan::{
    Activation, Arrangement, Attention, Dims, Head, Norm, Op, Plan, Projection, Rotation, TensorRef, Then,
    Weight,
};

/// What the dense families differ in.
pub(crate) struct Dense {
    pub(crate) architecture: &'static str,
    pub(crate) head_dim: usize,
    pub(crate) qkv_bias: bool,
    pub(crate) qk_norm: bool,
}

/// Plan of a `qwen2` checkpoint.
pub(crate) fn plan(config: &Config) -> Result<Plan, Error> {
    let head_dim = match config.count_opt("head_dim")? {
        Some(head_dim) => head_dim,
        None => {
            let (hidden_size, n_heads) = (config.count("hidden_size")?, config.count("num_attention_heads")?);
            if !hidden_size.is_multiple_of(n_heads) {
                return Err(invalid(
                    "hidden_size",
                    &json!(hidden_size),
                    format!("without \"head_dim\" it must be a multiple of num_attention_heads ({n_heads})"),
                ));
            }
            hidden_size / n_heads
        }
    };
    dense(config, &Dense { architecture: "qwen2", head_dim, qkv_bias: true, qk_norm: false })
}

/// Plan of a dense decoder.
pub(crate) fn dense(config: &Config, family: &Dense) -> Result<Plan, Error> {
    let mut dims = dims(config, family.head_dim)?;
    let rope = Rope::from_config(config, dims.head_dim, dims.context_length)?;
    dims.context_length = dims.context_length.max(rope.extended_context.unwrap_or(0));
    let windows = windows(config, &dims)?;
    let mut ops = vec![Op::Embed(embedding(&dims))];
    for (layer, window) in windows.into_iter().enumerate() {
        attention_block(&mut ops, &dims, family, layer, window);
        feed_forward(&mut ops, &dims, layer);
    }
    let tied = config.flag("tie_word_embeddings", Default::False)?;
    let head = Head {
        norm: norm(&dims, TensorRef::new("model.norm.weight", "output_norm.weight", &[dims.hidden_size])),
        weight: if tied {
            embedding(&dims)
        } else {
            Weight::single(TensorRef::new(
                "lm_head.weight",
                "output.weight",
                &[dims.vocab_size, dims.hidden_size],
            ))
        },
    };
    Ok(Plan { architecture: family.architecture, dims, rope, ops, head })
}

fn dims(config: &Config, head_dim: usize) -> Result<Dims, Error> {
    let n_heads = config.count("num_attention_heads")?;
    let n_kv_heads = config.count_opt("num_key_value_heads")?.unwrap_or(n_heads);
    if !n_heads.is_multiple_of(n_kv_heads) {
        return Err(invalid(
            "num_key_value_heads",
            &json!(n_kv_heads),
            format!("it must divide num_attention_heads ({n_heads})"),
        ));
    }
    Ok(Dims {
        hidden_size: config.count("hidden_size")?,
        n_layers: config.count("num_hidden_layers")?,
        n_heads,
        n_kv_heads,
        head_dim,
        intermediate_size: config.count("intermediate_size")?,
        vocab_size: config.count("vocab_size")?,
        context_length: config.count_opt("max_position_embeddings")?.unwrap_or(32_768),
        rms_norm_eps: config.positive("rms_norm_eps")? as f32,
    })
}

/// The window of each layer: `layer_types` where given, else from `max_window_layers` on.
fn windows(config: &Config, dims: &Dims) -> Result<Vec<Option<usize>>, Error> {
    if !config.flag("use_sliding_window", Default::False)? {
        return Ok(vec![None; dims.n_layers]);
    }
    let window = config.count_opt("sliding_window")?;
    if let Some(types) = config.get("layer_types").and_then(serde_json::Value::as_array) {
        if types.len() != dims.n_layers {
            return Err(invalid(
                "layer_types",
                &json!(types),
                format!("there are {} layers and {} types", dims.n_layers, types.len()),
            ));
        }
        return Ok(types.iter().map(|t| window.filter(|_| t == "sliding_attention")).collect());
    }
    let first = match config.get("max_window_layers") {
        Some(value) => {
            value.as_u64().ok_or_else(|| invalid("max_window_layers", value, "a count is needed"))? as usize
        }
        None => 28,
    };
    Ok((0..dims.n_layers).map(|layer| window.filter(|_| layer >= first)).collect())
}

fn embedding(dims: &Dims) -> Weight {
    Weight::single(TensorRef::new(
        "model.embed_tokens.weight",
        "token_embd.weight",
        &[dims.vocab_size, dims.hidden_size],
    ))
}

fn norm(dims: &Dims, weight: TensorRef) -> Norm {
    Norm { weight, eps: dims.rms_norm_eps }
}

fn attention_block(ops: &mut Vec<Op>, dims: &Dims, family: &Dense, layer: usize, window: Option<usize>) {
    let (q_rows, kv_rows) = (dims.n_heads * dims.head_dim, dims.n_kv_heads * dims.head_dim);
    let hidden = dims.hidden_size;
    let tensor = |hf: &str, gguf: &str, shape: &[usize]| {
        TensorRef::new(format!("model.layers.{layer}.{hf}"), format!("blk.{layer}.{gguf}"), shape)
    };
    let parts = [("q", q_rows), ("k", kv_rows), ("v", kv_rows)];
    let matrix = |(p, rows): (&str, usize)| {
        tensor(&format!("self_attn.{p}_proj.weight"), &format!("attn_{p}.weight"), &[rows, hidden])
    };
    let bias = |(p, rows): (&str, usize)| {
        tensor(&format!("self_attn.{p}_proj.bias"), &format!("attn_{p}.bias"), &[rows])
    };
    let head_norm = |p: &str| {
        let weight =
            tensor(&format!("self_attn.{p}_norm.weight"), &format!("attn_{p}_norm.weight"), &[dims.head_dim]);
        norm(dims, weight)
    };
    ops.push(Op::Project(Projection {
        norm: Some(norm(dims, tensor("input_layernorm.weight", "attn_norm.weight", &[hidden]))),
        input: Activation::Hidden,
        weight: Weight { parts: parts.map(matrix).to_vec(), arrangement: Arrangement::Stacked },
        bias: family.qkv_bias.then(|| parts.map(bias).to_vec()),
        output: Activation::Qkv,
        then: Then::Store,
    }));
    ops.push(Op::Rotate(Rotation {
        layer,
        qk_norm: family.qk_norm.then(|| (head_norm("q"), head_norm("k"))),
    }));
    ops.push(Op::Attend(Attention { layer, window }));
    ops.push(Op::Project(Projection {
        norm: None,
        input: Activation::Attended,
        weight: Weight::single(tensor("self_attn.o_proj.weight", "attn_output.weight", &[hidden, q_rows])),
        bias: None,
        output: Activation::Hidden,
        then: Then::Add,
    }));
}

fn feed_forward(ops: &mut Vec<Op>, dims: &Dims, layer: usize) {
    let (hidden, inner) = (dims.hidden_size, dims.intermediate_size);
    let tensor = |hf: &str, gguf: &str, shape: &[usize]| {
        TensorRef::new(
            format!("model.layers.{layer}.{hf}.weight"),
            format!("blk.{layer}.{gguf}.weight"),
            shape,
        )
    };
    ops.push(Op::Project(Projection {
        norm: Some(norm(dims, tensor("post_attention_layernorm", "ffn_norm", &[hidden]))),
        input: Activation::Hidden,
        weight: Weight {
            parts: vec![
                tensor("mlp.gate_proj", "ffn_gate", &[inner, hidden]),
                tensor("mlp.up_proj", "ffn_up", &[inner, hidden]),
            ],
            arrangement: Arrangement::GateUp,
        },
        bias: None,
        output: Activation::Inner,
        then: Then::SiluMul,
    }));
    ops.push(Op::Project(Projection {
        norm: None,
        input: Activation::Inner,
        weight: Weight::single(tensor("mlp.down_proj", "ffn_down", &[hidden, inner])),
        bias: None,
        output: Activation::Hidden,
        then: Then::Add,
    }));
}
