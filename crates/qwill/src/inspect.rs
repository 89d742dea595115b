//! What a model is and what it takes, from its files alone.

use qwill_engine::{WeightSource, find};
use qwill_gpu::Gpu;
use qwill_models::Plan;
use serde::Serialize;

use crate::memory::plan_memory;
use crate::opened::{conversions, open, plan, tensors};
use crate::{DeviceMemory, Error, LoadOptions, MemoryPlan, ModelFiles, RandomModel, RandomTokenizer};

/// One tensor of a model.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TensorSummary {
    /// Name in the files.
    pub name: String,
    /// Its shape, rows first.
    pub shape: Vec<usize>,
    /// Its format; absent without files.
    pub dtype: Option<String>,
    /// Its bytes in the files; without files, on the device.
    pub bytes: u64,
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
    /// Weights that a token meets: all but the experts that it does not go to.
    pub n_active_params: u64,
    /// Experts of a sparse layer; 0 without any.
    pub n_experts: usize,
    /// Experts that a token goes to.
    pub top_k: usize,
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
    /// Looks at a model's files: at their headers, and at no weights. `options` are those that it would be loaded with.
    ///
    /// # Errors
    /// What [`Model::load`](crate::Model::load) would say to the files; that the device is too small is no error here.
    pub async fn of_files(files: ModelFiles, options: &LoadOptions) -> Result<Self, Error> {
        let opened = open(files, options).await?;
        let plan = plan(&opened)?;
        let conversions = conversions(&plan, options);
        let stored = tensors(&opened)?.converting(&conversions);
        let mut tensors: Vec<TensorSummary> = Vec::new();
        for part in plan.tensors() {
            let (tensor, _) = find(&stored, plan.architecture, part)?;
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
        Self::new(opened.name.clone(), &plan, WeightSource(stored), options, tensors).await
    }

    /// Looks at a published shape, `SHAPE` or `SHAPE:FORMAT`; without a format weights count as bf16.
    ///
    /// # Errors
    /// [`Error::Request`] if there is no such shape or format.
    pub async fn of_shape(shape: &str, options: &LoadOptions) -> Result<Self, Error> {
        let with_format = if shape.contains(':') { shape.to_owned() } else { format!("{shape}:bf16") };
        let files = RandomModel::parse(&with_format)?.files(RandomTokenizer::None)?;
        Ok(Self { name: shape.to_lowercase(), ..Self::of_files(files, options).await? })
    }

    async fn new(
        name: String,
        plan: &Plan,
        source: WeightSource<'_>,
        options: &LoadOptions,
        tensors: Vec<TensorSummary>,
    ) -> Result<Self, Error> {
        let dims = &plan.dims;
        let device = match Gpu::open(&options.gpu_options()?).await {
            Ok(gpu) => Some(DeviceMemory::of(&gpu)),
            // A model can be looked at on any machine.
            Err(qwill_gpu::Error::NoGpu { .. }) if options.gpu.is_none() => None,
            Err(error) => return Err(error.into()),
        };
        let mixture = plan.mixtures().next();
        Ok(Self {
            name,
            architecture: plan.architecture,
            n_params: plan.n_params(),
            n_active_params: plan.n_active_params(),
            n_experts: mixture.map_or(0, |mixture| mixture.experts.len()),
            top_k: mixture.map_or(0, |mixture| mixture.top_k),
            n_layers: dims.n_layers,
            hidden_size: dims.hidden_size,
            n_heads: dims.n_heads,
            n_kv_heads: dims.n_kv_heads,
            head_dim: dims.head_dim,
            intermediate_size: dims.intermediate_size,
            vocab_size: dims.vocab_size,
            model_context_length: dims.context_length,
            memory: plan_memory(plan, &source, device.as_ref(), options)?.memory,
            tensors,
        })
    }
}
