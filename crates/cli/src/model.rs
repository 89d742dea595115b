//! Opening the model that the arguments name, with progress on standard error.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressStyle};
use pollster::block_on;
use qwill::{Control, KvType, LoadOptions, Model, ModelFiles};

use crate::args::{ModelArgs, SetupArgs};
use crate::failure::Failure;

/// The files behind `--model`.
pub(crate) fn files(model: &str) -> Result<ModelFiles, Failure> {
    if model == "demo" { Ok(ModelFiles::demo()) } else { Ok(ModelFiles::from_path(model)?) }
}

/// How the arguments want a model to be set up.
pub(crate) fn options(setup: &SetupArgs, default_kv: KvType) -> LoadOptions {
    LoadOptions {
        context_length: setup.context,
        kv_type: Some(setup.kv_type.map_or(default_kv, KvType::from)),
        caps_mask: setup.caps.clone(),
        adapter: setup.adapter.clone(),
        ..LoadOptions::default()
    }
}

/// Loads the model, with a progress bar when a person is watching.
pub(crate) fn load(args: &ModelArgs, default_kv: KvType) -> Result<Model, Failure> {
    load_with(&args.model, &options(&args.setup, default_kv))
}

pub(crate) fn load_with(model: &str, options: &LoadOptions) -> Result<Model, Failure> {
    let bar = if std::io::stderr().is_terminal() { ProgressBar::new(0) } else { ProgressBar::hidden() };
    bar.set_style(
        ProgressStyle::with_template("loading {bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta}")
            .expect("the template is constant"),
    );
    let loaded = block_on(Model::load(files(model)?, options, &mut |progress| {
        bar.set_length(progress.bytes_total);
        bar.set_position(progress.bytes_done);
        Control::Continue
    }));
    bar.finish_and_clear();
    Ok(loaded?)
}
