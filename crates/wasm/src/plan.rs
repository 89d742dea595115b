//! Whether a model fits, from the headers of its files.

use qwill::Inspection;
use wasm_bindgen::prelude::*;

use crate::convert::{from_js, qwill_error, to_js};
use crate::file::JsFile;
use crate::model::JsLoadOptions;

/// What the model that `files` are takes, compared with this device: `EngineInspection` of `npm/src/engine.ts`.
#[wasm_bindgen]
pub async fn inspect(files: Vec<JsFile>, options: JsValue) -> Result<JsValue, JsValue> {
    let options: JsLoadOptions = from_js(&options)?;
    let load_options = options.resolve()?;
    let inspection = match &options.random {
        Some(random) => Inspection::of_shape(random, &load_options).await,
        None => Inspection::of_files(options.files(files), &load_options).await,
    };
    to_js(&inspection.map_err(qwill_error)?)
}

/// Fails as loading would for want of memory.
#[wasm_bindgen]
pub async fn check(files: Vec<JsFile>, options: JsValue) -> Result<(), JsValue> {
    let options: JsLoadOptions = from_js(&options)?;
    let load_options = options.resolve()?;
    qwill::Model::check(options.files(files), &load_options).await.map_err(qwill_error)?;
    Ok(())
}
