//! What a model is and what it takes, from its files alone.

use qwill_kernels::{GEMM_MAX_TILE_M, KvType, align_row};
use qwill_models::Plan;
use serde::Serialize;

use crate::engine::MAX_OUTPUTS;
use crate::loader::find;
use crate::model::{DEFAULT_CONTEXT, cache_bytes, plan};
use crate::{Error, ModelFiles, RandomModel};

/// One tensor of a model.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TensorSummary {
    /// Name in the files.
    pub name: String,
    /// Its shape, rows first.
    pub shape: Vec<usize>,
    /// Its format; absent without files.
    pub dtype: Option<String>,
    /// Its bytes in the files.
    pub bytes: u64,
}

/// Bytes that a model needs on the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct MemoryPlan {
    /// Tokens that the plan is for.
    pub context_length: usize,
    /// Weights.
    pub weights_bytes: u64,
    /// Key/value cache in f16.
    pub cache_bytes: u64,
    /// Activations of a prefill step of 512 tokens.
    pub activation_bytes: u64,
    /// All of it.
    pub total_bytes: u64,
}

/// A model without its weights.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Inspection {
    /// The model's name.
    pub name: String,
    /// Its family.
    pub architecture: &'static str,
    /// Weights.
    pub n_params: u64,
    /// Layers.
    pub n_layers: usize,
    /// Width of the residual stream.
    pub hidden_size: usize,
    /// Query heads.
    pub n_heads: usize,
    /// Key/value heads.
    pub n_kv_heads: usize,
    /// Elements of a head.
    pub head_dim: usize,
    /// Inner width of the feed-forward network.
    pub intermediate_size: usize,
    /// Embedding rows.
    pub vocab_size: usize,
    /// Tokens that it was made for.
    pub model_context_length: usize,
    /// Bytes on the device.
    pub memory: MemoryPlan,
    /// Every tensor that it uses.
    pub tensors: Vec<TensorSummary>,
}

impl Inspection {
    /// Looks at a model's files.
    pub async fn of_files(files: ModelFiles, context_length: Option<usize>) -> Result<Self, Error> {
        let opened = files.open().await?;
        let plan = plan(&opened)?;
        let stored = crate::model::tensors(&opened)?;
        let mut tensors: Vec<TensorSummary> = Vec::new();
        for part in plan.tensors() {
            let tensor = find(&stored, plan.architecture, part)?.tensor;
            // all experts of a GGUF file lie in one tensor
            if part.expert.is_some_and(|slice| slice.index > 0) && tensor.shape.len() > part.shape.len() {
                continue;
            }
            tensors.push(TensorSummary {
                dtype: Some(tensor.format()),
                name: tensor.name,
                shape: tensor.shape,
                bytes: tensor.byte_len,
            });
        }
        Self::new(opened.name, &plan, context_length, tensors)
    }

    /// Looks at a published shape; weights count as bf16.
    pub fn of_shape(shape: &str, context_length: Option<usize>) -> Result<Self, Error> {
        let plan = RandomModel::parse(&format!("{shape}:bf16"))?.plan;
        let tensors = plan
            .tensors()
            .into_iter()
            .map(|tensor| TensorSummary {
                name: tensor.hf.clone(),
                shape: tensor.shape.clone(),
                dtype: None,
                bytes: 2 * tensor.shape.iter().map(|&n| n as u64).product::<u64>(),
            })
            .collect();
        Self::new(shape.to_lowercase(), &plan, context_length, tensors)
    }

    fn new(
        name: String,
        plan: &Plan,
        context_length: Option<usize>,
        tensors: Vec<TensorSummary>,
    ) -> Result<Self, Error> {
        let dims = &plan.dims;
        let context_length = context_length.unwrap_or(dims.context_length.min(DEFAULT_CONTEXT));
        if context_length == 0 || context_length > dims.context_length {
            return Err(Error::Request(format!(
                "a context of {context_length} tokens was asked for; this model allows 1 to {}",
                dims.context_length
            )));
        }
        let weights_bytes = tensors.iter().map(|t| t.bytes).sum();
        let cache = cache_bytes(plan, context_length, KvType::F16);
        let heads = dims.n_heads * dims.head_dim;
        let widths = [dims.hidden_size, dims.hidden_size, 3 * heads, heads, dims.intermediate_size];
        let rows = 512usize.next_multiple_of(GEMM_MAX_TILE_M as usize);
        let activation_bytes = (rows * widths.into_iter().map(align_row).sum::<usize>() * 4
            + MAX_OUTPUTS * align_row(plan.head.width(dims)) * 4
            + rows * plan.rope.rows().per_position * plan.rope.rotary_dim * 4)
            as u64;
        Ok(Self {
            name,
            architecture: plan.architecture,
            n_params: plan.n_params(),
            n_layers: dims.n_layers,
            hidden_size: dims.hidden_size,
            n_heads: dims.n_heads,
            n_kv_heads: dims.n_kv_heads,
            head_dim: dims.head_dim,
            intermediate_size: dims.intermediate_size,
            vocab_size: dims.vocab_size,
            model_context_length: dims.context_length,
            memory: MemoryPlan {
                context_length,
                weights_bytes,
                cache_bytes: cache,
                activation_bytes,
                total_bytes: weights_bytes + cache + activation_bytes,
            },
            tensors,
        })
    }
}
