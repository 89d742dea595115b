//! Failures in Anthropic's shape.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::failure::{Failure, Kind};

/// What Anthropic's servers say when they have too much to do.
const OVERLOADED: u16 = 529;

pub(crate) fn status(failure: &Failure) -> StatusCode {
    match failure.kind {
        Kind::Unavailable => StatusCode::from_u16(OVERLOADED).unwrap_or(StatusCode::SERVICE_UNAVAILABLE),
        _ => failure.status(),
    }
}

/// `{"type": "error", "error": …}`
pub(crate) fn body(failure: &Failure) -> Value {
    let kind = match failure.kind {
        Kind::Invalid | Kind::PromptTooLong | Kind::Method => "invalid_request_error",
        Kind::Unauthorized => "authentication_error",
        Kind::Forbidden => "permission_error",
        Kind::NoRoute | Kind::NoModel => "not_found_error",
        Kind::TooLarge => "request_too_large",
        Kind::Busy { .. } => "rate_limit_error",
        Kind::Timeout => "timeout_error",
        Kind::Unavailable => "overloaded_error",
        Kind::Internal | Kind::Gone => "api_error",
    };
    json!({"type": "error", "error": {"type": kind, "message": failure.message}})
}
