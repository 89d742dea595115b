//! Routes that are qwill's own, or llama.cpp's.

mod decisions;
mod infill;
mod rerank;
mod slots;
mod status;
mod tokens;

use axum::http::header;
use axum::response::IntoResponse;

use crate::table::Table;

/// What all routes take and give.
pub(crate) const DOCUMENT: &str = include_str!("openapi.json");

async fn document() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], DOCUMENT)
}

pub(crate) fn routes() -> Table {
    Table::default()
        .get("/health", status::health)
        .get("/props", status::props)
        .get("/metrics", status::metrics)
        .get("/openapi.json", document)
        .post("/tokenize", tokens::tokenize)
        .post("/detokenize", tokens::detokenize)
        .post("/apply-template", tokens::apply_template)
        .post("/infill", infill::fill)
        .get("/slots", slots::list)
        .post("/slots/{id}", slots::act)
        .post("/v1/rerank", rerank::rerank)
        .post("/v1/decisions", decisions::decide)
        .post("/v1/systemone", decisions::system_one)
}
