//! Plain values cross the border as JSON; errors become JavaScript errors with a `code`.

use js_sys::{JSON, Reflect};
use serde::Serialize;
use serde::de::DeserializeOwned;
use wasm_bindgen::prelude::*;

/// A JavaScript `Error` with a `code`.
pub(crate) fn error(code: &str, message: &str) -> JsValue {
    let error = JsValue::from(js_sys::Error::new(message));
    // Setting a property of a fresh object cannot fail.
    let _ = Reflect::set(&error, &"code".into(), &code.into());
    error
}

pub(crate) fn qwill_error(error: qwill::Error) -> JsValue {
    self::error(error.code(), &error.to_string())
}

pub(crate) fn to_js(value: &impl Serialize) -> Result<JsValue, JsValue> {
    let json = serde_json::to_string(value).map_err(|e| error("internal", &e.to_string()))?;
    JSON::parse(&json)
}

pub(crate) fn from_js<T: DeserializeOwned>(value: &JsValue) -> Result<T, JsValue> {
    let json = String::from(JSON::stringify(value)?);
    serde_json::from_str(&json)
        .map_err(|e| error("invalid-request", &format!("the arguments are not valid: {e}")))
}
