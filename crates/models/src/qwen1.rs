//! Qwen (2023): fused QKV with bias, `w2` as the gate of the feed-forward network, dynamic NTK and LogN.

use serde_json::{Value, json};

use crate::Rope;
use crate::config::{Config, Default, Error, invalid};
use crate::decoder::{norm, swiglu};
use crate::plan::{
    Dims, Direction, Embedding, Head, HeadLayer, HeadThen, Op, Outputs, Plan, TensorRef, Then, Weight,
};
use crate::registers::{RegisterRows, Registers};
use crate::rope::{LogN, Ntk};
use crate::stream::{Layers, Stream};

/// Plan of a `qwen` checkpoint, with the configuration keys of the first or of later releases.
pub(crate) fn plan(config: &Config) -> Result<Plan, Error> {
    let seq_length = config.count_opt("seq_length")?.unwrap_or(2048);
    let ntk = match config.flag("use_dynamic_ntk", Default::False)? {
        true => Ntk::Dynamic,
        false => Ntk::Off,
    };
    let log_n = match config.flag("use_logn_attn", Default::False)? {
        true => LogN::On,
        false => LogN::Off,
    };
    let mut dims = dims(config)?;
    dims.context_length = match ntk {
        Ntk::Dynamic => dims.context_length.max(seq_length),
        Ntk::Off => seq_length,
    };
    let theta = config.number_opt("rotary_emb_base")?.unwrap_or(10_000.0);
    let rope = Rope::qwen1(theta, dims.head_dim, seq_length, ntk, log_n);
    let windows = windows(config, &dims)?;
    let (hidden, vocab_size) = (dims.hidden_size, dims.vocab_size);
    let embedding = TensorRef::new("transformer.wte.weight", "token_embd.weight", &[vocab_size, hidden]);
    let mut registers = Registers::default();
    let stream = Stream::new(&mut registers, &dims);
    let mut layers = Layers { dims: &dims, stream, registers: &mut registers };
    let embedding = Embedding { weight: Weight::single(embedding), output: stream.hidden };
    let mut ops = vec![Op::Embed(embedding)];
    for (layer, window) in windows.into_iter().enumerate() {
        ops.extend(block(&mut layers, layer, window));
    }
    let output = TensorRef::new("lm_head.weight", "output.weight", &[vocab_size, hidden]);
    let states = registers.named("output states", RegisterRows::Outputs, hidden);
    let layer = HeadLayer {
        weight: Weight::single(output),
        bias: None,
        then: HeadThen::Store,
        output: registers.named("outputs", RegisterRows::Outputs, vocab_size),
    };
    let head = Head {
        input: stream.hidden,
        states,
        norm: norm(&dims, TensorRef::new("transformer.ln_f.weight", "output_norm.weight", &[hidden])),
        layers: vec![layer],
        outputs: Outputs::Logits,
    };
    Ok(Plan { architecture: "qwen", dims, rope, direction: Direction::Causal, registers, ops, head })
}

/// A size under its later or its first name.
fn count(config: &Config, key: &'static str, first: &'static str) -> Result<usize, Error> {
    match config.count_opt(first)? {
        Some(n) if config.get(key).is_none() => Ok(n),
        _ => config.count(key),
    }
}

fn dims(config: &Config) -> Result<Dims, Error> {
    let hidden_size = count(config, "hidden_size", "n_embd")?;
    let n_heads = count(config, "num_attention_heads", "n_head")?;
    let head_dim = config.count_opt("kv_channels")?.unwrap_or(hidden_size / n_heads);
    // both halves of the feed-forward network are counted
    let both = count(config, "intermediate_size", "ffn_hidden_size")?;
    if !both.is_multiple_of(2) {
        return Err(invalid("intermediate_size", &json!(both), "it counts two halves, so it must be even"));
    }
    let context_length = match config.count_opt("max_position_embeddings")? {
        Some(n) => n,
        None => config.count_opt("n_positions")?.unwrap_or(8192),
    };
    let eps = match config.get("layer_norm_epsilon") {
        Some(_) => config.positive("layer_norm_epsilon")?,
        None => config.number_opt("rms_norm_eps")?.unwrap_or(1e-6),
    };
    Ok(Dims {
        hidden_size,
        n_layers: count(config, "num_hidden_layers", "n_layer")?,
        n_heads,
        n_kv_heads: n_heads,
        head_dim,
        intermediate_size: both / 2,
        vocab_size: count(config, "vocab_size", "padded_vocab_size")?,
        context_length,
        rms_norm_eps: eps as f32,
    })
}

/// `layer_windows`: a key of ours for the layer-wise windows that the report (arXiv 2309.16609, section 2.5) describes and no
/// release configures; a list with a window or `null` for each layer.
fn windows(config: &Config, dims: &Dims) -> Result<Vec<Option<usize>>, Error> {
    let Some(value) = config.get("layer_windows") else { return Ok(vec![None; dims.n_layers]) };
    let wrong = || {
        invalid(
            "layer_windows",
            value,
            format!("a window or null for each of {} layers is needed", dims.n_layers),
        )
    };
    let list = value.as_array().filter(|list| list.len() == dims.n_layers).ok_or_else(wrong)?;
    list.iter()
        .map(|window| match window {
            Value::Null => Ok(None),
            n => n.as_u64().filter(|n| *n > 0).map(|n| Some(n as usize)).ok_or_else(wrong),
        })
        .collect()
}

fn block(layers: &mut Layers<'_>, layer: usize, window: Option<usize>) -> Vec<Op> {
    let (dims, stream) = (layers.dims, layers.stream);
    let (hidden, inner, heads) = (dims.hidden_size, dims.intermediate_size, dims.n_heads * dims.head_dim);
    let tensor = |hf: &str, gguf: &str, shape: &[usize]| {
        TensorRef::new(format!("transformer.h.{layer}.{hf}"), format!("blk.{layer}.{gguf}"), shape)
    };
    let matrix = |hf: &str, gguf: &str, rows: usize, columns: usize| {
        tensor(&format!("{hf}.weight"), &format!("{gguf}.weight"), &[rows, columns])
    };
    let first = norm(dims, tensor("ln_1.weight", "attn_norm.weight", &[hidden]));
    let qkv = Weight::single(matrix("attn.c_attn", "attn_qkv", 3 * heads, hidden));
    let bias = Then::Store(Some(vec![tensor("attn.c_attn.bias", "attn_qkv.bias", &[3 * heads])]));
    let output = Weight::single(matrix("attn.c_proj", "attn_output", hidden, heads));
    let mut ops = vec![stream.project(first, qkv, stream.qkv, bias)];
    ops.extend(stream.attend(layer, None, window));
    ops.push(stream.add(stream.attended, output));
    ops.extend(swiglu(
        layers,
        norm(dims, tensor("ln_2.weight", "ffn_norm.weight", &[hidden])),
        matrix("mlp.w2", "ffn_gate", inner, hidden),
        matrix("mlp.w1", "ffn_up", inner, hidden),
        matrix("mlp.c_proj", "ffn_down", hidden, inner),
    ));
    ops
}
