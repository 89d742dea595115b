//! From files to an engine: when a model is loaded, and again after its device was lost.

use std::rc::Rc;

use qwill_engine::{Engine, EngineOptions, Loader, WeightSource};
use qwill_gpu::{Allocated, Gpu};
use qwill_kernels::WrongKernel;
use qwill_kernels::self_test::Findings;
use qwill_models::Plan;
use qwill_text::{GenerationConfig, Tokenizer};
use qwill_weights::ReadAhead;

use super::devices::Devices;
use super::trial::Trial;
use crate::files::Opened;
use crate::memory::plan_memory;
use crate::opened::{conversions, open, plan, stored_rows, tensors, total_bytes};
use crate::templates::Templates;
use crate::{AdapterInfo, Control, DeviceMemory, Error, LoadOptions, LoadProgress, ModelFiles, lora};

/// All that an engine is made from, kept as long as the model lives.
pub(crate) struct Factory {
    pub(crate) devices: Devices,
    pub(crate) files: ModelFiles,
    pub(crate) options: LoadOptions,
    /// Adapters that are loaded, with their numbers.
    pub(crate) adapters: Vec<(ModelFiles, String, u64)>,
}

/// What handles need to know of a model, without its weights and its device.
pub(crate) struct Facts {
    pub(crate) name: String,
    pub(crate) tokenizer: Option<Tokenizer>,
    pub(crate) templates: Templates,
    pub(crate) generation: GenerationConfig,
    pub(crate) plan: Plan,
    pub(crate) engine: EngineOptions,
    pub(crate) weights_bytes: u64,
    /// Other weights have another one.
    pub(crate) fingerprint: String,
    pub(crate) gpu: GpuFacts,
    /// What is known of its kernels.
    pub(crate) findings: Findings,
}

/// What handles need to know of a device.
pub(crate) struct GpuFacts {
    pub(crate) name: String,
    pub(crate) backend: String,
    pub(crate) capabilities: String,
    pub(crate) allocated: Allocated,
}

impl GpuFacts {
    fn of(gpu: &Gpu) -> Self {
        let info = gpu.info();
        Self {
            name: if info.name.is_empty() { info.driver.clone() } else { info.name.clone() },
            backend: format!("{:?}", info.backend),
            capabilities: gpu.caps().to_string(),
            allocated: gpu.allocated(),
        }
    }
}

impl Factory {
    /// Loads the weights, without adapters.
    pub(crate) async fn build(
        &mut self,
        progress: &mut dyn FnMut(LoadProgress) -> Control,
    ) -> Result<(Engine, Facts), Error> {
        let options = &self.options;
        // The files first: what is wrong with them should not be hidden behind a missing GPU.
        let opened = open(self.files.clone(), options).await?;
        let mut plan = plan(&opened)?;
        let stored = stored_rows(&opened, &plan)?;
        let weights_bytes = total_bytes(&stored);
        check_tokenizer(&opened, &plan)?;
        // The disk has something to do while the device is opened.
        let read_ahead = ReadAhead::start(stored);
        let gpu = Rc::new(self.devices.open(&options.gpu_options()?).await?);
        let conversions = conversions(&plan, options);
        let source = WeightSource(tensors(&opened)?.converting(&conversions));
        let planned = plan_memory(&plan, &source, Some(&DeviceMemory::of(&gpu)), options)?;
        planned.memory.check()?;
        plan.rope = planned.rope;
        let loader = Loader::new(&gpu, plan.architecture, source, read_ahead, weights_bytes, progress);
        let (engine, findings) = self.fill(&gpu, plan, planned.engine, loader).await?;
        let facts = Facts {
            name: opened.name,
            tokenizer: opened.tokenizer,
            templates: opened.templates,
            generation: opened.generation,
            plan: engine.plan().clone(),
            engine: engine.options,
            weights_bytes,
            fingerprint: self.files.fingerprint().await?,
            gpu: GpuFacts::of(&gpu),
            findings,
        };
        Ok((engine, facts))
    }

    /// Binds kernels that the device gets right, and fills the weights.
    async fn fill(
        &self,
        gpu: &Rc<Gpu>,
        plan: Plan,
        sizes: EngineOptions,
        mut loader: Loader<'_>,
    ) -> Result<(Engine, Findings), Error> {
        let weights = loader.allocate(&plan).await?;
        let mut trial = Trial::new(gpu, &self.options);
        let made = loop {
            let kernels = trial.kernels(gpu, &self.options).await?;
            match Engine::new(kernels, &plan, sizes, &weights).await {
                Err(qwill_engine::Error::WrongKernel(wrong)) if trial.strike(wrong.choice) => {
                    let WrongKernel { kernel, reason, .. } = wrong;
                    tracing::warn!(
                        "this device gets the kernel \"{kernel}\" wrong ({reason}); another takes its place"
                    );
                }
                made => break made,
            }
        };
        let findings = trial.end(gpu, &self.options);
        let mut engine = made?;
        loader.finish().await?;
        engine.warm_up().await?;
        Ok((engine, findings))
    }

    /// The engine once more, with the adapters that it had.
    pub(crate) async fn rebuild(&mut self) -> Result<Engine, Error> {
        let (mut engine, _) = self.build(&mut |_| Control::Continue).await?;
        for (files, name, id) in &self.adapters {
            load_adapter(&mut engine, files, name, *id).await?;
        }
        Ok(engine)
    }
}

/// Puts an adapter beside the weights.
pub(super) async fn load_adapter(
    engine: &mut Engine,
    files: &ModelFiles,
    name: &str,
    id: u64,
) -> Result<AdapterInfo, Error> {
    let file = lora::open(files).await?;
    Ok(engine.load_adapter(&file, name, id).await?)
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
