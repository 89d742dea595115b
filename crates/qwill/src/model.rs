//! A loaded model: the public face of the runtime.

use std::rc::Rc;

use qwill_gpu::Gpu;
use qwill_models::Plan;
use qwill_text::{GenerationConfig, Specials, Tokenizer};
use qwill_weights::ReadAhead;
use serde::Serialize;
use web_time::Instant;

use crate::cache::Sequence;
use crate::engine::{Engine, layer_cache_bytes};
use crate::files::{Opened, Templates};
use crate::loader::{Loader, WeightSource};
use crate::lora::LoraFile;
use crate::memory::plan_memory;
use crate::opened::{conversions, open, plan, stored_rows, tensors, total_bytes};
use crate::{
    AdapterInfo, AdapterUse, Control, DeviceMemory, Error, LoadOptions, LoadProgress, MemoryPlan, ModelFiles,
    RandomModel, RandomTokenizer,
};

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
    /// The GPU's name.
    pub gpu: String,
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
    /// Loads a model on the fastest GPU. `progress` is told about bytes on the device and may stop the load.
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

    /// Whether [`load`](Self::load) would find room: what to ask before a download, for it reads no more of the files
    /// than their headers.
    ///
    /// # Errors
    /// What [`load`](Self::load) would say before it uploads anything.
    pub async fn check(files: ModelFiles, options: &LoadOptions) -> Result<MemoryPlan, Error> {
        let opened = open(files, options).await?;
        let plan = plan(&opened)?;
        let gpu = Gpu::open(&options.gpu_options()?).await?;
        let conversions = conversions(&plan, options);
        let source = WeightSource(tensors(&opened)?.converting(&conversions));
        let memory = plan_memory(&plan, &source, Some(&DeviceMemory::of(&gpu)), options)?.memory;
        memory.check()?;
        Ok(memory)
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
            gpu: if info.name.is_empty() { info.driver.clone() } else { info.name.clone() },
            backend: format!("{:?}", info.backend),
            capabilities: self.engine.gpu.caps().to_string(),
        }
    }

    /// The tokenizer, or why there is none.
    pub fn tokenizer(&self) -> Result<&Tokenizer, Error> {
        self.tokenizer.as_ref().ok_or_else(Error::no_tokenizer)
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

    /// Loads a low-rank adapter beside the model, under a name that requests use: PEFT's `adapter_config.json` and
    /// `adapter_model.safetensors`, or a GGUF file. The model's own weights stay as they are, quantised or not; requests
    /// that name no adapter are as fast as before.
    ///
    /// Every linear layer can be changed, those of experts and the output matrix among them, and the embedding. Errors
    /// name what is not supported ([`Error::Adapter`]), and tensors that do not fit the model ([`Error::Shape`]).
    pub async fn load_adapter(&mut self, files: ModelFiles, name: &str) -> Result<AdapterInfo, Error> {
        let file = LoraFile::open(&files).await?;
        self.engine.load_adapter(&file, name).await
    }

    /// Frees an adapter. Requests that name it fail from now on, and it is no longer selected.
    pub fn unload_adapter(&mut self, name: &str) -> Result<(), Error> {
        self.engine.unload_adapter(name)
    }

    /// The loaded adapters, in order.
    pub fn adapters(&self) -> Vec<AdapterInfo> {
        self.engine.adapters()
    }

    /// What everything uses that does not name its adapters: nothing, unless this is called.
    pub fn select_adapters(&mut self, uses: &[AdapterUse]) -> Result<(), Error> {
        self.engine.select_adapters(uses)
    }
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
