//! A JavaScript object that reads a file, as a source of bytes.

use std::ops::Range;

use js_sys::Uint8Array;
use qwill::weights::{ByteSource, Error};
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    /// `EngineFile` of `npm/src/engine.ts`.
    pub type JsFile;

    #[wasm_bindgen(method, getter)]
    fn name(this: &JsFile) -> String;

    #[wasm_bindgen(method, getter)]
    fn size(this: &JsFile) -> f64;

    #[wasm_bindgen(method, catch)]
    async fn read(this: &JsFile, offset: f64, length: f64) -> Result<JsValue, JsValue>;
}

pub(crate) struct JsSource {
    name: String,
    len: u64,
    file: JsFile,
}

impl JsSource {
    pub(crate) fn new(file: JsFile) -> Self {
        // JavaScript's integers are exact up to 2^53, far beyond any file.
        Self { name: file.name(), len: file.size() as u64, file }
    }
}

#[async_trait::async_trait(?Send)]
impl ByteSource for JsSource {
    fn name(&self) -> &str {
        &self.name
    }

    fn len(&self) -> u64 {
        self.len
    }

    async fn read(&self, range: Range<u64>) -> Result<Vec<u8>, Error> {
        let out_of_range = || Error::OutOfRange {
            file: self.name.clone(),
            start: range.start,
            end: range.end,
            len: self.len,
        };
        if range.start > range.end || range.end > self.len {
            return Err(out_of_range());
        }
        let wanted = range.end - range.start;
        let bytes = self.file.read(range.start as f64, wanted as f64).await.map_err(|thrown| {
            let reason = thrown
                .dyn_ref::<js_sys::Error>()
                .map_or_else(|| format!("{thrown:?}"), |e| e.message().into());
            Error::Source { file: self.name.clone(), reason }
        })?;
        let bytes = bytes.unchecked_into::<Uint8Array>();
        if u64::from(bytes.length()) == wanted { Ok(bytes.to_vec()) } else { Err(out_of_range()) }
    }
}
