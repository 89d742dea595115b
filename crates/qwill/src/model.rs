//! A loaded model: the public face of the runtime.

use std::collections::HashMap;
use std::rc::Rc;

use qwill_gpu::{CapsMask, Gpu, GpuOptions, SubgroupWidth};
use qwill_kernels::{KvType, Tuning};
use qwill_models::{Direction, Outputs, Plan, Rope, RopeScaling};
use qwill_text::{GenerationConfig, Specials, Tokenizer};
use qwill_weights::{DType, ReadAhead, Tensors};
use serde::Serialize;
use web_time::Instant;

use crate::cache::Sequence;
use crate::engine::{Engine, EngineOptions, layer_cache_bytes, widest_row_bytes};
use crate::files::{Opened, Templates};
use crate::loader::{Loader, StoredRows, WeightSource, find};
use crate::memory::{DeviceMemory, plan_memory};
use crate::weight_format::TensorFormats;
use crate::{Control, Error, LoadProgress, ModelFiles, RandomModel, RandomTokenizer, WeightFormat};

/// Context that is set up when nobody asks for another; the model's own when that is shorter.
pub(crate) const DEFAULT_CONTEXT: usize = 8192;

/// How to load a model.
#[derive(Debug, Clone, Default)]
pub struct LoadOptions {
    /// Tokens of prompt and reply together; absent: the model's, at most 8192.
    pub context_length: Option<usize>,
    /// Converts weights that the files hold as floats to this format while they are loaded; what is quantised already
    /// stays as it is. The same as loading what [`quantize`](crate::quantize) writes.
    pub quantize: Option<WeightFormat>,
    /// Cache format; absent: f16.
    pub kv_type: Option<KvType>,
    /// Tokens of a prefill step; absent: 512 (128 on a CPU device).
    pub prefill_chunk: Option<usize>,
    /// How positions are scaled; absent: as the checkpoint says.
    pub rope_scaling: Option<RopeScaling>,
    /// Capabilities to hide, for tests: `no-f16,no-subgroups,max-binding=128MiB`.
    pub caps_mask: String,
    /// Subgroup widths that a browser's glue has enabled.
    pub web_subgroups: Option<(u32, u32)>,
    /// Part of the name of the adapter to use.
    pub adapter: Option<String>,
    /// How kernels are shaped, as a measurement on the device found; absent: as the device's facts suggest.
    pub tuning: Option<Tuning>,
}

impl LoadOptions {
    pub(crate) fn gpu_options(&self) -> Result<GpuOptions, Error> {
        Ok(GpuOptions {
            mask: CapsMask::parse(&self.caps_mask).map_err(|e| Error::Request(e.to_string()))?,
            web_subgroups: self.web_subgroups.map(|(min, max)| SubgroupWidth { min, max }),
            adapter: self.adapter.clone(),
            ..GpuOptions::default()
        })
    }

    /// How kernels are shaped on an open device.
    fn tuning(&self, gpu: &Gpu) -> Tuning {
        self.tuning.clone().unwrap_or_else(|| Tuning::of(gpu.caps()))
    }
}

/// What a model is and what it takes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModelInfo {
    /// The model's name, from its files.
    pub name: String,
    /// Family, such as `qwen3`.
    pub architecture: String,
    /// Weights.
    pub n_params: u64,
    /// Layers.
    pub n_layers: usize,
    /// Width of the residual stream.
    pub hidden_size: usize,
    /// Embedding rows.
    pub vocab_size: usize,
    /// Tokens that this instance holds.
    pub context_length: usize,
    /// Tokens that the model was made for.
    pub model_context_length: usize,
    /// How positions are extended, where the context is longer than what the model was trained for.
    pub context_extension: Option<String>,
    /// Bytes of the tensors in the files.
    pub weights_bytes: u64,
    /// Bytes of the key/value cache.
    pub cache_bytes: u64,
    /// Bytes allocated on the device in all.
    pub device_bytes: u64,
    /// The adapter's name.
    pub adapter: String,
    /// Its driver interface.
    pub backend: String,
    /// What it can do.
    pub capabilities: String,
}

/// A model on the GPU, with one sequence and its cache.
pub struct Model {
    pub(crate) name: String,
    pub(crate) engine: Engine,
    pub(crate) sequence: Sequence,
    pub(crate) tokenizer: Option<Tokenizer>,
    pub(crate) templates: Templates,
    pub(crate) generation: GenerationConfig,
    pub(crate) weights_bytes: u64,
    pub(crate) load_ms: f64,
}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Model").field("info", &self.info()).finish_non_exhaustive()
    }
}

impl Model {
    /// Loads a model on the fastest adapter. `progress` is told about bytes on the device and may stop the load.
    pub async fn load(
        files: ModelFiles,
        options: &LoadOptions,
        progress: &mut dyn FnMut(LoadProgress) -> Control,
    ) -> Result<Self, Error> {
        let started = Instant::now();
        // The files first: what is wrong with them should not be hidden behind a missing GPU.
        let opened = open(files, options).await?;
        let mut plan = plan(&opened)?;
        let stored = stored_rows(&opened, &plan)?;
        let bytes_total = total_bytes(&stored);
        check_tokenizer(&opened, &plan)?;
        // The disk has something to do while the device is opened.
        let read_ahead = ReadAhead::start(stored);
        let gpu = Rc::new(Gpu::open(&options.gpu_options()?).await?);
        let conversions = conversions(&plan, options);
        let source = WeightSource(tensors(&opened)?.converting(&conversions));
        let planned = plan_memory(&plan, &source, Some(&DeviceMemory::of(&gpu)), options)?;
        planned.memory.check()?;
        plan.rope = planned.rope;
        let loader = Loader::new(&gpu, plan.architecture, source, read_ahead, bytes_total, progress);
        let engine = Engine::new(gpu.clone(), plan, planned.engine, options.tuning(&gpu), loader).await?;
        Ok(Self {
            name: opened.name,
            engine,
            sequence: Sequence::default(),
            tokenizer: opened.tokenizer,
            templates: opened.templates,
            generation: opened.generation,
            weights_bytes: bytes_total,
            load_ms: started.elapsed().as_secs_f64() * 1e3,
        })
    }

    /// Makes a model with random weights: for benchmarks only, it has no tokenizer.
    pub async fn random(random: RandomModel, options: &LoadOptions) -> Result<Self, Error> {
        Self::load(random.files(RandomTokenizer::None)?, options, &mut |_| Control::Continue).await
    }

    /// What this model is.
    pub fn info(&self) -> ModelInfo {
        let dims = &self.engine.plan.dims;
        let options = &self.engine.options;
        let info = self.engine.gpu.info();
        let extension = self.engine.plan.rope.extension.as_ref();
        ModelInfo {
            name: self.name.clone(),
            architecture: self.engine.plan.architecture.into(),
            n_params: self.engine.plan.n_params(),
            n_layers: dims.n_layers,
            hidden_size: dims.hidden_size,
            vocab_size: dims.vocab_size,
            context_length: options.context_length,
            model_context_length: dims.context_length,
            context_extension: extension
                .filter(|extension| options.context_length > extension.trained_length)
                .map(|extension| extension.method.clone()),
            weights_bytes: self.weights_bytes,
            cache_bytes: 2 * dims.n_layers as u64 * layer_cache_bytes(&self.engine.plan, *options),
            device_bytes: self.engine.gpu.totals().allocated,
            adapter: if info.name.is_empty() { info.driver.clone() } else { info.name.clone() },
            backend: format!("{:?}", info.backend),
            capabilities: self.engine.gpu.caps().to_string(),
        }
    }

    /// The tokenizer, or why there is none.
    pub fn tokenizer(&self) -> Result<&Tokenizer, Error> {
        self.tokenizer.as_ref().ok_or_else(no_tokenizer)
    }

    /// The checkpoint's sampling defaults and ends of text.
    pub fn generation_config(&self) -> &GenerationConfig {
        &self.generation
    }

    /// Text to token ids; special tokens in it are parsed when `specials` says so.
    pub fn tokenize(&self, text: &str, specials: Specials) -> Result<Vec<u32>, Error> {
        Ok(self.tokenizer()?.encode(text, specials)?)
    }

    /// The device, for its counters and for tests that take it away.
    pub fn gpu(&self) -> &Gpu {
        &self.engine.gpu
    }

    /// Tokens that the cache holds.
    pub fn cached_tokens(&self) -> usize {
        self.sequence.len()
    }

    /// Empties the cache.
    pub fn reset(&mut self) {
        self.sequence.truncate(0, &mut self.engine.pool);
    }
}

pub(crate) fn no_tokenizer() -> Error {
    Error::Tokenizer(
        "the model has no tokenizer: tokenizer.json (or vocab.json and merges.txt) is missing beside its weights".into(),
    )
}

/// A model's files with what `options` say about its configuration.
pub(crate) async fn open(files: ModelFiles, options: &LoadOptions) -> Result<Opened, Error> {
    let mut opened = files.open().await?;
    if let Some(scaling) = options.rope_scaling {
        opened.config = scaling.apply(&opened.config).map_err(|source| opened.config_error(source))?;
    }
    Ok(opened)
}

/// The plan of a model's files.
pub(crate) fn plan(opened: &Opened) -> Result<Plan, Error> {
    let plan = qwill_models::plan(&opened.config).map_err(|source| opened.config_error(source))?;
    if plan.head.outputs == Outputs::Logits && !has_output_matrix(opened, &plan)? {
        return Ok(plan.without_logits());
    }
    Ok(plan)
}

/// Embedding models are saved as the bare decoder, whatever class their configuration names: `embed_tokens.weight`
/// without the prefix `model.`, and no `lm_head.weight` even where it is not tied.
fn has_output_matrix(opened: &Opened, plan: &Plan) -> Result<bool, Error> {
    let tensors = tensors(opened)?;
    let is_bare_decoder = tensors.get("embed_tokens.weight")?.is_some();
    let mut parts = plan.head.layers.iter().flat_map(|layer| &layer.weight.parts);
    Ok(!is_bare_decoder || parts.all(|part| find(&tensors, plan.architecture, part).is_ok()))
}

/// The types that tensors are converted to while they are loaded.
pub(crate) fn conversions(plan: &Plan, options: &LoadOptions) -> HashMap<String, DType> {
    let formats = options.quantize.map(|format| TensorFormats::of_model(format, plan));
    formats.map(|formats| formats.by_name(plan)).unwrap_or_default()
}

/// The tensors of a model's files.
pub(crate) fn tensors(opened: &Opened) -> Result<Tensors<'_>, Error> {
    Ok(Tensors::new(&opened.checkpoint, opened.config.get("quantization_config"))?)
}

/// Finds all tensors of a plan, in its order, and checks their shapes.
pub(crate) fn stored_rows<'c>(opened: &'c Opened, plan: &Plan) -> Result<Vec<StoredRows<'c>>, Error> {
    let tensors = tensors(opened)?;
    plan.tensors().into_iter().map(|tensor| find(&tensors, plan.architecture, tensor)).collect()
}

/// Bytes of the files that rows stand for.
pub(crate) fn total_bytes(stored: &[StoredRows<'_>]) -> u64 {
    stored.iter().map(|(tensor, rows)| tensor.bytes_of(rows.clone())).sum()
}

fn check_tokenizer(opened: &Opened, plan: &Plan) -> Result<(), Error> {
    let Some(tokenizer) = &opened.tokenizer else { return Ok(()) };
    let (ids, rows) = (tokenizer.n_tokens(), plan.dims.vocab_size);
    if ids > rows {
        return Err(Error::Tokenizer(format!(
            "the tokenizer does not fit the model: it has {ids} tokens, but the model has embeddings for {rows}"
        )));
    }
    Ok(())
}

/// Most tokens of a prefill step.
const MAX_CHUNK: usize = 4096;

/// Tokens of a prefill step when nobody asks for another number. CPU devices gain nothing from long steps, except that
/// a mixture's experts then share their weights between more tokens.
fn default_chunk(device: &DeviceMemory, plan: &Plan) -> usize {
    let is_dense = plan.mixtures().next().is_none();
    if device.is_software && is_dense { 128 } else { 512 }
}

/// How an engine is set up for a plan.
pub(crate) struct Setup {
    /// The plan's positions without what a context of this size does not need.
    pub(crate) rope: Rope,
    pub(crate) engine: EngineOptions,
}

/// Chooses the sizes of an engine.
pub(crate) fn set_up(plan: &Plan, device: &DeviceMemory, options: &LoadOptions) -> Result<Setup, Error> {
    let longest = plan.dims.context_length;
    let default = if plan.direction == Direction::Both { MAX_CHUNK } else { DEFAULT_CONTEXT };
    let context_length = options.context_length.unwrap_or(longest.min(default));
    if context_length == 0 {
        return Err(Error::Request("a context of 0 tokens was asked for; it takes at least 1".into()));
    }
    // Extended positions have no hard end; plain ones were never trained past theirs.
    if context_length > longest && plan.rope.extension.is_none() {
        return Err(Error::ContextTooLong { context_length, longest });
    }
    let rope = plan.rope.clone().for_context(context_length);
    let mut chunk = options.prefill_chunk.unwrap_or_else(|| default_chunk(device, plan));
    if chunk == 0 || chunk > MAX_CHUNK {
        return Err(Error::Request(format!(
            "a prefill chunk of {chunk} tokens was asked for; 1 to {MAX_CHUNK} are possible"
        )));
    }
    let rows = device.max_binding_bytes / widest_row_bytes(plan, &rope) as u64 / 64 * 64;
    let largest = rows.min(MAX_CHUNK as u64) as usize;
    if largest == 0 {
        return Err(Error::Request(format!(
            "a step of 64 tokens does not fit a binding of this device, {} bytes",
            device.max_binding_bytes
        )));
    }
    if plan.direction == Direction::Both {
        if context_length > largest {
            return Err(Error::Request(format!(
                "a context of {context_length} tokens was asked for; this model looks both ways, so that a text must fit \
                 one step of at most {largest} on this device"
            )));
        }
        chunk = context_length;
    }
    let chunk = chunk.min(context_length).min(largest);
    let kv = options.kv_type.unwrap_or(KvType::F16);
    Ok(Setup { rope, engine: EngineOptions { context_length, kv, chunk } })
}
