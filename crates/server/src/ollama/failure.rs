//! Failures in Ollama's shape.

use serde_json::{Value, json};

use crate::failure::Failure;

/// `{"error": "…"}`
pub(crate) fn body(failure: &Failure) -> Value {
    json!({"error": failure.message})
}
