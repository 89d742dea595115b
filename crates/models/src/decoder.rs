//! What the decoders of Qwen1.5 and later share: sizes, windows, tensor names, attention and dense blocks, the head.

use serde_json::json;

use crate::Rope;
use crate::config::{Config, Default, Error, invalid};
use crate::head;
use crate::layer_types::{SLIDING, layer_types};
use crate::plan::{Dims, Direction, Embedding, Norm, Op, Outputs, Plan, TensorRef, Then, Weight};
use crate::registers::Registers;
use crate::stream::{Layers, Stream, inner_states};

/// What the families differ in.
pub(crate) struct Family {
    pub(crate) architecture: &'static str,
    pub(crate) head_dim: usize,
    pub(crate) bias: QkvBias,
    pub(crate) qk_norm: QkNorm,
    pub(crate) windowed: Windowed,
}

/// Whether queries, keys and values have biases.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum QkvBias {
    Present,
    Absent,
}

/// Whether queries and keys are normalised per head.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum QkNorm {
    PerHead,
    Absent,
}

/// Which layers slide when `use_sliding_window` is on and no `layer_types` say so (transformers 5).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Windowed {
    /// Those from `max_window_layers` on.
    UpperLayers,
    /// Even ones below `max_window_layers`.
    EvenLowerLayers,
    /// All.
    EveryLayer,
}

/// Makes a plan whose feed-forward networks are made by `feed_forward`, called once a layer.
pub(crate) fn plan(
    config: &Config,
    family: &Family,
    mut feed_forward: impl FnMut(&mut Layers<'_>, usize) -> Result<Vec<Op>, Error>,
) -> Result<Plan, Error> {
    let mut dims = dims(config, family.head_dim)?;
    let rope = Rope::from_config(config, dims.head_dim, dims.context_length)?;
    dims.context_length = rope.context_length(dims.context_length);
    let windows = windows(config, &dims, family.windowed)?;
    let mut registers = Registers::default();
    let stream = Stream::new(&mut registers, &dims);
    let mut layers = Layers { dims: &dims, stream, registers: &mut registers };
    let mut ops = vec![Op::Embed(Embedding { weight: embedding(&dims), output: stream.hidden })];
    for (layer, window) in windows.into_iter().enumerate() {
        ops.extend(attention_block(&layers, family, layer, window));
        ops.extend(feed_forward(&mut layers, layer)?);
    }
    let norm = norm(&dims, TensorRef::new("model.norm.weight", "output_norm.weight", &[dims.hidden_size]));
    let head = head::head(config, &mut layers, norm, embedding(&dims))?;
    // gte-Qwen2 says so in its configuration
    let direction = match config.flag("is_causal", Default::True)? {
        true => Direction::Causal,
        false => Direction::Both,
    };
    if direction == Direction::Both && rope.chunks.is_some() {
        return Err(invalid("is_causal", &json!(false), "dual chunk attention looks back only"));
    }
    let plan = Plan { architecture: family.architecture, dims, rope, direction, registers, ops, head };
    // What comes next is no question to a token that has seen it.
    let is_embedder = direction == Direction::Both && plan.head.outputs == Outputs::Logits;
    Ok(if is_embedder { plan.without_logits() } else { plan })
}

/// `head_dim`, or `hidden_size / num_attention_heads`.
pub(crate) fn head_dim_or_quotient(config: &Config) -> Result<usize, Error> {
    if let Some(head_dim) = config.count_opt("head_dim")? {
        return Ok(head_dim);
    }
    let (hidden_size, n_heads) = (config.count("hidden_size")?, config.count("num_attention_heads")?);
    if !hidden_size.is_multiple_of(n_heads) {
        return Err(invalid(
            "hidden_size",
            &json!(hidden_size),
            format!("without \"head_dim\" it must be a multiple of num_attention_heads ({n_heads})"),
        ));
    }
    Ok(hidden_size / n_heads)
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

/// The window of each layer: `layer_types` where given, else by the family's rule.
fn windows(config: &Config, dims: &Dims, rule: Windowed) -> Result<Vec<Option<usize>>, Error> {
    let is_on = config.flag("use_sliding_window", Default::False)?;
    let window = if is_on { config.count_opt("sliding_window")? } else { None };
    if let Some(types) = layer_types(config)? {
        if types.len() != dims.n_layers {
            return Err(invalid(
                "layer_types",
                &json!(types),
                format!("there are {} layers and {} types", dims.n_layers, types.len()),
            ));
        }
        if window.is_none() && types.contains(&SLIDING) {
            let expected = "layers slide only with \"use_sliding_window\": true and a \"sliding_window\"";
            return Err(invalid("layer_types", &json!(types), expected));
        }
        return Ok(types.iter().map(|kind| window.filter(|_| *kind == SLIDING)).collect());
    }
    if !is_on {
        return Ok(vec![None; dims.n_layers]);
    }
    let limit = match config.get("max_window_layers") {
        Some(value) => {
            value.as_u64().ok_or_else(|| invalid("max_window_layers", value, "a count is needed"))? as usize
        }
        None => 28,
    };
    let slides = |layer: usize| match rule {
        Windowed::UpperLayers => layer >= limit,
        Windowed::EvenLowerLayers => layer.is_multiple_of(2) && layer < limit,
        Windowed::EveryLayer => true,
    };
    Ok((0..dims.n_layers).map(|layer| window.filter(|_| slides(layer))).collect())
}

fn embedding(dims: &Dims) -> Weight {
    Weight::single(TensorRef::new(
        "model.embed_tokens.weight",
        "token_embd.weight",
        &[dims.vocab_size, dims.hidden_size],
    ))
}

pub(crate) fn norm(dims: &Dims, weight: TensorRef) -> Norm {
    Norm { weight, eps: dims.rms_norm_eps }
}

/// A tensor of a layer, under both its names.
pub(crate) fn layer_tensor(layer: usize, hf: &str, gguf: &str, shape: &[usize]) -> TensorRef {
    TensorRef::new(format!("model.layers.{layer}.{hf}"), format!("blk.{layer}.{gguf}"), shape)
}

/// The norm before a layer's feed-forward network.
pub(crate) fn feed_forward_norm(dims: &Dims, layer: usize) -> Norm {
    let weight =
        layer_tensor(layer, "post_attention_layernorm.weight", "ffn_norm.weight", &[dims.hidden_size]);
    norm(dims, weight)
}

fn attention_block(layers: &Layers<'_>, family: &Family, layer: usize, window: Option<usize>) -> Vec<Op> {
    let (dims, stream) = (layers.dims, layers.stream);
    let (q_rows, kv_rows) = (dims.n_heads * dims.head_dim, dims.n_kv_heads * dims.head_dim);
    let hidden = dims.hidden_size;
    let tensor = |hf: &str, gguf: &str, shape: &[usize]| layer_tensor(layer, hf, gguf, shape);
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
    let first = norm(dims, tensor("input_layernorm.weight", "attn_norm.weight", &[hidden]));
    let store = Then::Store((family.bias == QkvBias::Present).then(|| parts.map(bias).to_vec()));
    let qk_norm = (family.qk_norm == QkNorm::PerHead).then(|| (head_norm("q"), head_norm("k")));
    let output = tensor("self_attn.o_proj.weight", "attn_output.weight", &[hidden, q_rows]);
    let mut ops = vec![stream.project(first, Weight::stacked(parts.map(matrix).to_vec()), stream.qkv, store)];
    ops.extend(stream.attend(layer, qk_norm, window));
    ops.push(stream.add(stream.attended, Weight::single(output)));
    ops
}

/// SwiGLU of width `intermediate_size` (arXiv 2002.05202), with its norm and the addition to the residual stream.
pub(crate) fn dense_block(layers: &mut Layers<'_>, layer: usize) -> Vec<Op> {
    let dims = layers.dims;
    let (hidden, inner) = (dims.hidden_size, dims.intermediate_size);
    let tensor = |name: &str, gguf: &str, shape: &[usize]| {
        layer_tensor(layer, &format!("mlp.{name}.weight"), &format!("{gguf}.weight"), shape)
    };
    let gate = tensor("gate_proj", "ffn_gate", &[inner, hidden]);
    let up = tensor("up_proj", "ffn_up", &[inner, hidden]);
    let down = tensor("down_proj", "ffn_down", &[hidden, inner]);
    swiglu(layers, feed_forward_norm(dims, layer), gate, up, down)
}

/// `x + down(silu(gate(n)) * up(n))`, `n = norm(x)`.
pub(crate) fn swiglu(
    Layers { stream, registers, .. }: &mut Layers<'_>,
    norm: Norm,
    gate: TensorRef,
    up: TensorRef,
    down: TensorRef,
) -> Vec<Op> {
    let inner = inner_states(registers, gate.shape[0]);
    let first = stream.project(norm, Weight::gate_up(gate, up), inner, Then::SiluMul);
    vec![first, stream.add(inner, Weight::single(down))]
}
