//! Finding, downloading and loading a model.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use pollster::block_on;
use qwill::gpu::HostDevice;
use qwill::hub::{Hub, HubError, HubOptions};
use qwill::{Control, Error, LoadOptions, Model, ModelFiles, ModelInfo};

use super::{Reporter, lock};
use crate::source::Source;
use crate::state::{ModelFacts, ModelReport, Plan, Report};

/// A model that is to take the place of the one that is loaded.
pub(super) struct Load {
    pub(super) source: String,
    pub(super) options: LoadOptions,
    pub(super) device: HostDevice,
    pub(super) model: Arc<Mutex<Option<Model>>>,
    pub(super) stop: Arc<AtomicBool>,
}

/// How a load ended without a model.
enum Ended {
    Cancelled,
    Failed(String),
}

impl From<Error> for Ended {
    fn from(error: Error) -> Self {
        match error {
            Error::Aborted => Self::Cancelled,
            other => Self::Failed(other.to_string()),
        }
    }
}

impl From<HubError> for Ended {
    fn from(error: HubError) -> Self {
        match error {
            HubError::Aborted => Self::Cancelled,
            other => Self::Failed(other.to_string()),
        }
    }
}

impl Load {
    pub(super) fn run(self, reporter: &Reporter) {
        let report = match self.load(reporter) {
            // another load has begun, and speaks for itself
            _ if Arc::strong_count(&self.stop) == 1 => return,
            Ok(facts) => ModelReport::Loaded(Box::new(facts)),
            Err(Ended::Cancelled) => ModelReport::Cancelled,
            Err(Ended::Failed(reason)) => ModelReport::Failed(reason),
        };
        reporter.tell(Report::Model(report));
    }

    fn control(&self) -> Control {
        if self.stop.load(Ordering::Relaxed) { Control::Stop } else { Control::Continue }
    }

    fn load(&self, reporter: &Reporter) -> Result<ModelFacts, Ended> {
        let tell = |doing: String, bytes| {
            if Arc::strong_count(&self.stop) > 1 {
                reporter.tell(Report::Model(ModelReport::Loading { doing, bytes }));
            }
        };
        let hub = HubOptions::from_env();
        let files = match Source::parse(&self.source, &hub).map_err(Ended::Failed)? {
            Source::Demo => ModelFiles::demo(),
            Source::Local(path) => ModelFiles::from_path(path)?,
            Source::Hub(id) => Hub::new(hub).fetch(&id, &mut |progress| {
                tell(format!("Downloading {}", progress.file), (progress.bytes_done, progress.bytes_total));
                self.control()
            })?,
        };
        // the one before goes first: there may be no room for both
        let before = lock(&self.model).take();
        drop(before);
        let model = block_on(Model::load_on(&self.device, files, &self.options, &mut |progress| {
            tell("Loading".into(), (progress.bytes_done, progress.bytes_total));
            self.control()
        }))?;
        let facts = facts(&self.source, &model);
        *lock(&self.model) = Some(model);
        Ok(facts)
    }
}

fn facts(source: &str, model: &Model) -> ModelFacts {
    let ModelInfo { name, architecture, n_params, gpu, backend, device_bytes, context_length, .. } =
        model.info();
    let config = model.generation_config();
    let (millions, megabytes) = (n_params as f64 / 1e6, device_bytes as f64 / 1e6);
    ModelFacts {
        source: source.to_owned(),
        name,
        summary: format!(
            "{architecture}, {millions:.1} million weights, {megabytes:.0} MB on {gpu} ({backend}), {context_length} tokens of context"
        ),
        context_length,
        temperature: if config.do_sample { config.temperature } else { 0.0 },
        top_k: config.top_k,
        top_p: config.top_p,
    }
}

/// Tells whether a model fits, before it is downloaded.
pub(super) fn plan(source: String, options: &LoadOptions, reporter: &Reporter) {
    let plan = match check(&source, options) {
        Ok(plan) => Plan::Fits(plan),
        Err(Ended::Cancelled) => return,
        Err(Ended::Failed(reason)) => Plan::No(reason),
    };
    reporter.tell(Report::Model(ModelReport::Planned { source, plan }));
}

fn check(source: &str, options: &LoadOptions) -> Result<String, Ended> {
    let hub = HubOptions::from_env();
    let files = match Source::parse(source, &hub).map_err(Ended::Failed)? {
        Source::Demo => ModelFiles::demo(),
        Source::Local(path) => ModelFiles::from_path(path)?,
        Source::Hub(id) => Hub::new(hub).find(&id)?.peek(&mut |_| Control::Continue)?,
    };
    let plan = block_on(Model::check(files, options))?;
    Ok(match plan.verdict() {
        Some(verdict) => format!("{plan}; {verdict}."),
        None => plan.to_string(),
    })
}
