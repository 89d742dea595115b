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

/// What to do about an error, in the words of the package; other front ends have other ones.
fn remedy(error: &qwill::Error) -> Option<&'static str> {
    match error {
        qwill::Error::ContextTooLong { .. } => Some("ropeScaling: \"yarn:FACTOR\""),
        qwill::Error::NoLogits => Some("pooled: \"embedding\" or \"score\""),
        _ => None,
    }
}

pub(crate) fn qwill_error(error: qwill::Error) -> JsValue {
    let remedy = remedy(&error).map(|words| format!(" ({words})")).unwrap_or_default();
    self::error(error.code(), &format!("{error}{remedy}"))
}

pub(crate) fn to_js(value: &impl Serialize) -> Result<JsValue, JsValue> {
    let json = serde_json::to_string(value).map_err(|e| error("internal", &e.to_string()))?;
    JSON::parse(&json)
}

pub(crate) fn from_js<T: DeserializeOwned>(value: &JsValue) -> Result<T, JsValue> {
    let json = String::from(JSON::stringify(value)?);
    // By way of a value: what a field says of itself has no line and column.
    serde_json::from_str::<serde_json::Value>(&json)
        .and_then(serde_json::from_value)
        .map_err(|e| error("invalid-request", &format!("the arguments are not valid: {e}")))
}
