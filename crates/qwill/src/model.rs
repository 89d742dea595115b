//! A loaded model: the public face of the runtime.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use qwill_engine::{WeightSource, layer_cache_bytes};
use qwill_gpu::Gpu;
use qwill_kernels::self_test::Findings;
use qwill_text::{GenerationConfig, Specials, Tokenizer};
use serde::Serialize;
use web_time::Instant;

use crate::driver::{Cache, Devices, Facts, Handle, spawn};
#[cfg(not(target_arch = "wasm32"))]
use crate::gpu::HostDevice;
use crate::grammar::Slot;
use crate::lora::Adapters;
use crate::memory::plan_memory;
use crate::opened::{conversions, open, plan, tensors};
use crate::{
    AdapterInfo, AdapterUse, Control, DeviceFindings, DeviceMemory, Error, LoadOptions, LoadProgress,
    MemoryPlan, ModelFiles, RandomModel, RandomTokenizer,
};

/// Tokens of a prefill step where a program draws between the steps.
#[cfg(not(target_arch = "wasm32"))]
const HOST_CHUNK: usize = 128;

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
    /// What is known of its kernels.
    pub self_test: DeviceFindings,
}

/// A model on the GPU. It is a handle: clones are the same model, and may be used from any thread at the same time.
///
/// Requests that overlap run together, each token of all of them in one pass over the weights. What texts begin with in
/// common is read once, and kept for later ones as long as there is room. The model is freed with the last handle and the
/// last reply that is not done.
#[derive(Clone)]
pub struct Model(pub(crate) Arc<Shared>);

pub(crate) struct Shared {
    handle: Handle,
    facts: Facts,
    load_ms: f64,
    adapters: Mutex<Adapters>,
    /// Made or set when the first request needs it.
    pub(crate) grammar_engine: Slot,
}

fn name_taken(name: &str) -> Error {
    Error::Request(format!("there is an adapter \"{name}\" already; unload it first"))
}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Model").field("info", &self.info()).finish_non_exhaustive()
    }
}

impl Model {
    /// Loads a model on the fastest GPU. `progress` is told about bytes on the device and may stop the load.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), qwill::Error> {
    /// use qwill::{Control, LoadOptions, Model, ModelFiles};
    ///
    /// let options = LoadOptions { context_length: Some(4096), max_sequences: Some(4), ..LoadOptions::default() };
    /// let model = Model::load(ModelFiles::from_path("Qwen3-0.6B-Q8_0.gguf")?, &options, &mut |progress| {
    ///     eprintln!("{} of {} bytes", progress.bytes_done, progress.bytes_total);
    ///     Control::Continue
    /// })
    /// .await?;
    /// # Ok(()) }
    /// ```
    pub async fn load(
        files: ModelFiles,
        options: &LoadOptions,
        progress: &mut dyn FnMut(LoadProgress) -> Control,
    ) -> Result<Self, Error> {
        Self::load_from(Devices::Own, files, options.clone(), progress).await
    }

    /// Loads a model on a device that the program has opened itself, and shares with others. The module
    /// [`gpu`](crate::gpu) has an example, and says what to ask for and what happens when the device is lost.
    /// [`LoadOptions::gpu`] and the label are of no use here.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    #[cfg(not(target_arch = "wasm32"))]
    pub async fn load_on(
        device: &HostDevice,
        files: ModelFiles,
        options: &LoadOptions,
        progress: &mut dyn FnMut(LoadProgress) -> Control,
    ) -> Result<Self, Error> {
        let prefill_chunk = options.prefill_chunk.or(Some(HOST_CHUNK));
        let options = LoadOptions { prefill_chunk, ..options.clone() };
        Self::load_from(Devices::Host(device.lease()), files, options, progress).await
    }

    async fn load_from(
        devices: Devices,
        files: ModelFiles,
        options: LoadOptions,
        progress: &mut dyn FnMut(LoadProgress) -> Control,
    ) -> Result<Self, Error> {
        let started = Instant::now();
        let (handle, facts) = spawn(devices, files, options, progress).await?;
        let load_ms = started.elapsed().as_secs_f64() * 1e3;
        #[cfg_attr(
            target_arch = "wasm32",
            allow(clippy::arc_with_non_send_sync, reason = "it has one thread")
        )]
        let shared = Arc::new(Shared {
            handle,
            facts,
            load_ms,
            adapters: Mutex::default(),
            grammar_engine: Slot::default(),
        });
        Ok(Self(shared))
    }

    /// Whether [`load`](Self::load) would find room: what to ask before a download, for it reads no more of the files
    /// than their headers.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), qwill::Error> {
    /// use qwill::{LoadOptions, Model, ModelFiles};
    ///
    /// let plan = Model::check(ModelFiles::from_path("Qwen3-8B")?, &LoadOptions::default()).await?;
    /// println!("{plan}: {}", plan.verdict().unwrap_or_default());
    /// # Ok(()) }
    /// ```
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
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), qwill::Error> {
    /// use qwill::{LoadOptions, Model, RandomModel};
    ///
    /// let model = Model::random(RandomModel::parse("qwen3-0.6b:q4_0")?, &LoadOptions::default()).await?;
    /// # Ok(()) }
    /// ```
    pub async fn random(random: RandomModel, options: &LoadOptions) -> Result<Self, Error> {
        Self::load(random.files(RandomTokenizer::None)?, options, &mut |_| Control::Continue).await
    }

    /// What this model is.
    ///
    /// ```no_run
    /// # async fn example(model: &qwill::Model) -> Result<(), qwill::Error> {
    /// let info = model.info();
    /// println!("{} on {}, {} tokens of context", info.name, info.gpu, info.context_length);
    /// # Ok(()) }
    /// ```
    pub fn info(&self) -> ModelInfo {
        let Facts { name, plan, engine: options, weights_bytes, gpu, findings, .. } = self.facts();
        let dims = &plan.dims;
        let extension = plan.rope.extension.as_ref();
        ModelInfo {
            name: name.clone(),
            architecture: plan.architecture.into(),
            n_params: plan.n_params(),
            n_layers: dims.n_layers,
            hidden_size: dims.hidden_size,
            vocab_size: dims.vocab_size,
            context_length: options.context_length,
            model_context_length: dims.context_length,
            context_extension: extension
                .filter(|extension| options.context_length > extension.trained_length)
                .map(|extension| extension.method.clone()),
            weights_bytes: *weights_bytes,
            cache_bytes: 2 * dims.n_layers as u64 * layer_cache_bytes(plan, *options),
            device_bytes: gpu.allocated.bytes(),
            gpu: gpu.name.clone(),
            backend: gpu.backend.clone(),
            capabilities: gpu.capabilities.clone(),
            self_test: DeviceFindings::of(findings),
        }
    }

    /// What the self-test has found on this device, for [`SelfTest::From`](crate::SelfTest::From) at the next load.
    ///
    /// ```no_run
    /// # async fn example(model: &qwill::Model, files: qwill::ModelFiles) -> Result<(), qwill::Error> {
    /// use qwill::{Control, LoadOptions, Model, SelfTest};
    ///
    /// let self_test = SelfTest::From(model.findings().clone());
    /// let options = LoadOptions { self_test, ..LoadOptions::default() };
    /// let again = Model::load(files, &options, &mut |_| Control::Continue).await?;
    /// # Ok(()) }
    /// ```
    pub fn findings(&self) -> &Findings {
        &self.facts().findings
    }

    /// The tokenizer, or why there is none.
    ///
    /// ```no_run
    /// # async fn example(model: &qwill::Model) -> Result<(), qwill::Error> {
    /// use qwill::text::{Specials, SpecialsOut};
    ///
    /// let ids = model.tokenize("Hello<|im_end|>", Specials::Parse)?;
    /// assert_eq!(model.tokenizer()?.decode(&ids, SpecialsOut::Keep), "Hello<|im_end|>");
    /// # Ok(()) }
    /// ```
    pub fn tokenizer(&self) -> Result<&Tokenizer, Error> {
        self.facts().tokenizer.as_ref().ok_or_else(Error::no_tokenizer)
    }

    /// The checkpoint's sampling defaults and ends of text.
    ///
    /// ```no_run
    /// # async fn example(model: &qwill::Model) -> Result<(), qwill::Error> {
    /// println!("usually at a temperature of {}", model.generation_config().temperature);
    /// # Ok(()) }
    /// ```
    pub fn generation_config(&self) -> &GenerationConfig {
        &self.facts().generation
    }

    /// Text to token ids; special tokens in it are parsed when `specials` says so. [`tokenizer`](Self::tokenizer) has an
    /// example.
    pub fn tokenize(&self, text: &str, specials: Specials) -> Result<Vec<u32>, Error> {
        Ok(self.tokenizer()?.encode(text, specials)?)
    }

    pub(crate) fn facts(&self) -> &Facts {
        &self.0.facts
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.0.handle
    }

    pub(crate) fn load_ms(&self) -> f64 {
        self.0.load_ms
    }

    /// Forgets what was read: the next text is read from its first token on, as a measurement may want it.
    ///
    /// ```no_run
    /// # async fn example(model: &qwill::Model) -> Result<(), qwill::Error> {
    /// let prompt = qwill::ChatRequest::user("Hi");
    /// model.reset().await?;
    /// assert_eq!(model.chat(&prompt)?.reply().await?.usage.cached_tokens, 0);
    /// # Ok(()) }
    /// ```
    pub async fn reset(&self) -> Result<(), Error> {
        self.handle().with_engine(Cache::Overwritten, async |_| ()).await
    }

    /// Takes the device away, as a driver's crash would, for tests: the next request, and those that run, open it again.
    ///
    /// ```no_run
    /// # async fn example(model: &qwill::Model) -> Result<(), qwill::Error> {
    /// let stream = model.chat(&qwill::ChatRequest::user("Hi"))?;
    /// model.destroy_device().await?;
    /// stream.reply().await?;
    /// # Ok(()) }
    /// ```
    pub async fn destroy_device(&self) -> Result<(), Error> {
        self.handle().with_engine(Cache::Kept, async |engine| engine.gpu.destroy()).await
    }

    /// Loads a low-rank adapter beside the model, under a name that requests use: PEFT's `adapter_config.json` and
    /// `adapter_model.safetensors`, or a GGUF file. The model's own weights stay as they are, quantised or not; requests
    /// that name no adapter are as fast as before.
    ///
    /// ```no_run
    /// # async fn example(model: &qwill::Model) -> Result<(), qwill::Error> {
    /// use qwill::{AdapterUse, ChatRequest, ModelFiles};
    ///
    /// model.load_adapter(ModelFiles::from_path("my-style")?, "style").await?;
    /// let half = vec![AdapterUse { name: "style".into(), scale: 0.5 }];
    /// let request = ChatRequest { adapters: Some(half), ..ChatRequest::user("Hello") };
    /// println!("{}", model.chat(&request)?.reply().await?.text);
    /// model.unload_adapter("style").await?;
    /// # Ok(()) }
    /// ```
    ///
    /// Every linear layer can be changed, those of experts and the output matrix among them, and the embedding. Errors
    /// name what is not supported ([`Error::Adapter`]), and tensors that do not fit the model ([`Error::Tensor`]).
    pub async fn load_adapter(&self, files: ModelFiles, name: &str) -> Result<AdapterInfo, Error> {
        if self.adapters().iter().any(|adapter| adapter.name == name) {
            return Err(name_taken(name));
        }
        let (id, info) = self.handle().load_adapter(files, name).await?;
        // somebody else may have loaded one under this name in the meantime
        if self.beside().add(id, &info) {
            return Ok(info);
        }
        self.handle().unload_adapter(id).await?;
        Err(name_taken(name))
    }

    /// Frees an adapter, when the requests that use it are done. Later ones that name it fail, and it is no longer
    /// selected.
    /// [`load_adapter`](Self::load_adapter) has an example.
    pub async fn unload_adapter(&self, name: &str) -> Result<(), Error> {
        let id = self.beside().remove(name)?;
        self.handle().unload_adapter(id).await
    }

    /// The loaded adapters, in order.
    ///
    /// ```no_run
    /// # async fn example(model: &qwill::Model) -> Result<(), qwill::Error> {
    /// let names: Vec<String> = model.adapters().into_iter().map(|adapter| adapter.name).collect();
    /// # Ok(()) }
    /// ```
    pub fn adapters(&self) -> Vec<AdapterInfo> {
        self.beside().infos().cloned().collect()
    }

    /// What everything uses that does not name its adapters: nothing, unless this is called.
    ///
    /// ```no_run
    /// # async fn example(model: &qwill::Model) -> Result<(), qwill::Error> {
    /// model.select_adapters(&[qwill::AdapterUse::new("style")])?;
    /// # Ok(()) }
    /// ```
    pub fn select_adapters(&self, uses: &[AdapterUse]) -> Result<(), Error> {
        self.beside().select(uses)
    }

    /// What a request uses that names these, or none: the numbers of adapters, with their scales.
    pub(crate) fn resolve_adapters(&self, uses: Option<&[AdapterUse]>) -> Result<Vec<(u64, f32)>, Error> {
        self.beside().resolve(uses)
    }

    /// The adapters that a request uses which names these, or none.
    pub(crate) fn used_adapters(&self, uses: Option<&[AdapterUse]>) -> Vec<AdapterUse> {
        uses.map_or_else(|| self.beside().selected().to_vec(), <[AdapterUse]>::to_vec)
    }

    fn beside(&self) -> MutexGuard<'_, Adapters> {
        self.0.adapters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
