//! Opening the model that the arguments name, with progress on standard error.

use std::io::IsTerminal;
use std::path::Path;

use indicatif::{ProgressBar, ProgressStyle};
use pollster::block_on;
use qwill::hub::{Hub, HubId, HubOptions};
use qwill::{Control, KvType, LoadOptions, Model, ModelFiles};

use crate::args::{ModelArgs, SetupArgs};
use crate::failure::Failure;

/// The files behind `--model`, from the hub if it is an id. What lies on the disk goes first.
pub(crate) fn files(model: &str) -> Result<ModelFiles, Failure> {
    if model == "demo" {
        return Ok(ModelFiles::demo());
    }
    let is_file_name = [".gguf", ".safetensors", ".json"].iter().any(|ending| model.ends_with(ending));
    match model.parse::<HubId>() {
        Ok(id) if !is_file_name && !Path::new(model).exists() => download(&id),
        _ => Ok(ModelFiles::from_path(model)?),
    }
}

fn download(id: &HubId) -> Result<ModelFiles, Failure> {
    let bar =
        progress_bar("downloading {wide_msg}\n{bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta} left");
    let mut begun = false;
    let files = Hub::new(HubOptions::from_env()).fetch(id, &mut |progress| {
        bar.set_length(progress.bytes_total);
        bar.set_position(progress.bytes_done);
        bar.set_message(progress.file.to_owned());
        if !begun {
            // what was there before says nothing about the speed
            bar.reset_eta();
            begun = true;
        }
        Control::Continue
    });
    bar.finish_and_clear();
    Ok(files?)
}

/// A bar for bytes; hidden unless a person is watching.
fn progress_bar(template: &str) -> ProgressBar {
    let bar = if std::io::stderr().is_terminal() { ProgressBar::new(0) } else { ProgressBar::hidden() };
    bar.set_style(ProgressStyle::with_template(template).expect("the templates are constant"));
    bar
}

/// How the arguments want a model to be set up.
pub(crate) fn options(setup: &SetupArgs, default_kv: KvType) -> LoadOptions {
    LoadOptions {
        context_length: setup.context,
        kv_type: Some(setup.kv_type.map_or(default_kv, KvType::from)),
        caps_mask: setup.caps.clone(),
        adapter: setup.adapter.clone(),
        rope_scaling: setup.rope_scaling,
        ..LoadOptions::default()
    }
}

/// Loads the model, with a progress bar when a person is watching.
pub(crate) fn load(args: &ModelArgs, default_kv: KvType) -> Result<Model, Failure> {
    load_with(&args.model, &options(&args.setup, default_kv))
}

pub(crate) fn load_with(model: &str, options: &LoadOptions) -> Result<Model, Failure> {
    let files = files(model)?;
    let bar = progress_bar("loading {bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta}");
    let loaded = block_on(Model::load(files, options, &mut |progress| {
        bar.set_length(progress.bytes_total);
        bar.set_position(progress.bytes_done);
        Control::Continue
    }));
    bar.finish_and_clear();
    let loaded = loaded?;
    let info = loaded.info();
    if let Some(method) = &info.context_extension {
        eprintln!("a context of {} tokens, longer than in training, by {method}", info.context_length);
    }
    Ok(loaded)
}
