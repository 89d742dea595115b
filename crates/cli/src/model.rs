//! Opening the model that the arguments name, with progress on standard error.

use std::path::Path;

use indicatif::{ProgressBar, ProgressFinish};
use pollster::block_on;
use qwill::hub::{Hub, HubId, HubOptions, HubProgress};
use qwill::{AdapterUse, Control, KvType, LoadOptions, LoadProgress, Model, ModelFiles, SelfTest};

use crate::args::{LoraArg, ModelArgs, SetupArgs};
use crate::failure::{Failure, wrong};
use crate::terminal::{note, progress_bar};

/// The files behind `--model`, from the hub if it is an id. What lies on the disk goes first.
pub(crate) fn files(model: &str) -> Result<ModelFiles, Failure> {
    match hub_id(model)? {
        Some(id) => Ok(Hub::new(HubOptions::from_env()).find(&id)?.fetch(&mut download_bar())?),
        None => local_files(model),
    }
}

/// The same files for those who read only headers: weights stay on the hub, if that is where they are.
pub(crate) fn headers(model: &str) -> Result<ModelFiles, Failure> {
    match hub_id(model)? {
        Some(id) => Ok(Hub::new(HubOptions::from_env()).find(&id)?.peek(&mut download_bar())?),
        None => local_files(model),
    }
}

fn local_files(model: &str) -> Result<ModelFiles, Failure> {
    if model == "demo" {
        return Ok(ModelFiles::demo());
    }
    if !Path::new(model).exists() {
        return Err(wrong(format!(
            "there is no file or directory \"{model}\"; give a GGUF file, a Hugging Face directory, a hub id (OWNER/NAME) or \
             \"demo\""
        )));
    }
    Ok(ModelFiles::from_path(model)?)
}

/// The id that `--model` is, or the address of its page, unless it is a name on the disk.
fn hub_id(model: &str) -> Result<Option<HubId>, Failure> {
    if model == "demo" || Path::new(model).exists() {
        return Ok(None);
    }
    let id = HubOptions::from_env().id(model);
    if model.contains("://") || model.starts_with("hf.co/") || model.starts_with("huggingface.co/") {
        return Ok(Some(id?));
    }
    let is_file_name = [".gguf", ".safetensors", ".json"].iter().any(|ending| model.ends_with(ending));
    Ok(id.ok().filter(|_| !is_file_name))
}

/// Shows a download.
pub(crate) fn download_bar() -> impl FnMut(HubProgress<'_>) -> Control {
    let bar =
        progress_bar("downloading {wide_msg}\n{bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta} left")
            .with_finish(ProgressFinish::AndClear);
    let mut begun = false;
    move |progress| {
        bar.set_length(progress.bytes_total);
        bar.set_position(progress.bytes_done);
        bar.set_message(progress.file.to_owned());
        if !begun {
            // what was there before says nothing about the speed
            bar.reset_eta();
            begun = true;
        }
        Control::Continue
    }
}

/// Shows progress on a bar.
pub(crate) fn shown_on(bar: &ProgressBar) -> impl FnMut(LoadProgress) -> Control {
    move |progress| {
        bar.set_length(progress.bytes_total);
        bar.set_position(progress.bytes_done);
        Control::Continue
    }
}

/// How the arguments want a model to be set up.
pub(crate) fn options(setup: &SetupArgs, default_kv: KvType) -> LoadOptions {
    LoadOptions {
        context_length: setup.context,
        cache_tokens: setup.cache_tokens,
        max_sequences: setup.max_sequences,
        kv_type: Some(setup.kv_type.map_or(default_kv, KvType::from)),
        caps_mask: setup.caps.clone(),
        gpu: setup.gpu.clone(),
        rope_scaling: setup.rope_scaling,
        quantize: setup.quantize,
        tuning: setup.tuning.clone(),
        self_test: if setup.no_self_test { SelfTest::Off } else { SelfTest::Kept },
        ..LoadOptions::default()
    }
}

/// Loads the model, with a progress bar when a person is watching.
pub(crate) fn load(args: &ModelArgs, default_kv: KvType) -> Result<Model, Failure> {
    load_with(&args.model, &options(&args.setup, default_kv), &args.setup.lora)
}

pub(crate) fn load_with(model: &str, options: &LoadOptions, adapters: &[LoraArg]) -> Result<Model, Failure> {
    let files = match hub_id(model)? {
        None => files(model)?,
        Some(id) => {
            let found = Hub::new(HubOptions::from_env()).find(&id)?;
            // Nobody should wait for a download that ends in a refusal.
            block_on(Model::check(found.peek(&mut download_bar())?, options))?;
            found.fetch(&mut download_bar())?
        }
    };
    let loaded = load_files(files, options)?;
    add_adapters(&loaded, adapters)?;
    Ok(loaded)
}

/// Loads a model whose files are there.
pub(crate) fn load_files(files: ModelFiles, options: &LoadOptions) -> Result<Model, Failure> {
    let bar = progress_bar("loading {bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta}");
    let loaded = block_on(Model::load(files, options, &mut shown_on(&bar)));
    bar.finish_and_clear();
    let loaded = loaded?;
    let info = loaded.info();
    if let Some(method) = &info.context_extension {
        note(&format!("a context of {} tokens, longer than in training, by {method}", info.context_length));
    }
    Ok(loaded)
}

/// Loads the adapters that the arguments name, and uses them for everything that names none. Each is called what its
/// directory or file is called.
pub(crate) fn add_adapters(model: &Model, adapters: &[LoraArg]) -> Result<(), Failure> {
    let mut uses = Vec::new();
    for LoraArg { path, scale } in adapters {
        let name = path.file_stem().map_or_else(|| path.to_string_lossy(), |stem| stem.to_string_lossy());
        block_on(model.load_adapter(ModelFiles::from_path(path)?, &name))?;
        uses.push(AdapterUse { name: name.into_owned(), scale: *scale });
    }
    Ok(model.select_adapters(&uses)?)
}
