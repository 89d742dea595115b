//! Routes that are qwill's own, or llama.cpp's.

mod decisions;
mod infill;
mod rerank;
mod status;
mod tokens;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};

use crate::app::App;

pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/health", get(status::health))
        .route("/props", get(status::props))
        .route("/metrics", get(status::metrics))
        .route("/tokenize", post(tokens::tokenize))
        .route("/detokenize", post(tokens::detokenize))
        .route("/apply-template", post(tokens::apply_template))
        .route("/infill", post(infill::fill))
        .route("/v1/rerank", post(rerank::rerank))
        .route("/v1/decisions", post(decisions::decide))
}
