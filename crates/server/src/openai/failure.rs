//! Failures in OpenAI's shape.

use serde_json::{Value, json};

use crate::failure::{Failure, Kind};

/// `{"error": …}`
pub(crate) fn body(failure: &Failure) -> Value {
    let (kind, code) = match failure.kind {
        Kind::Invalid | Kind::Method | Kind::NoRoute => ("invalid_request_error", None),
        Kind::PromptTooLong => ("invalid_request_error", Some("context_length_exceeded")),
        Kind::Unauthorized => ("invalid_request_error", Some("invalid_api_key")),
        Kind::Forbidden => ("invalid_request_error", Some("forbidden")),
        Kind::NoModel => ("invalid_request_error", Some("model_not_found")),
        Kind::TooLarge => ("invalid_request_error", Some("request_too_large")),
        Kind::Busy { .. } => ("rate_limit_error", Some("rate_limit_exceeded")),
        Kind::Timeout => ("server_error", Some("timeout")),
        Kind::Unavailable => ("server_error", Some("service_unavailable")),
        Kind::Internal | Kind::Gone => ("server_error", None),
    };
    json!({"error": {"message": failure.message, "type": kind, "param": null, "code": code}})
}
