//! How the server is.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::app::App;
use crate::failure::Failure;

/// It answers.
pub(crate) async fn health() -> Json<Value> {
    Json(json!({"status": "ok"}))
}

/// The models with what is known of those that are loaded.
pub(crate) async fn props(State(app): State<Arc<App>>) -> Json<Value> {
    let models: Vec<Value> = app
        .registry
        .slots()
        .iter()
        .map(|slot| {
            let info = slot.peek().map(|model| model.info());
            json!({"id": slot.name(), "loaded": info.is_some(), "running": slot.n_active(), "info": info})
        })
        .collect();
    let options = &app.options;
    Json(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "models": models,
        "limits": {
            "max_requests": options.max_requests,
            "max_body_bytes": options.max_body_bytes,
            "max_prompt_tokens": options.max_prompt_tokens,
            "request_timeout_seconds": options.request_timeout.as_secs_f64(),
        },
    }))
}

/// What was counted.
pub(crate) async fn metrics(State(app): State<Arc<App>>) -> Result<Response, Failure> {
    let text = app.metrics.text(&app.registry).map_err(|error| Failure::internal(error.to_string()))?;
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, kind)], text).into_response())
}
