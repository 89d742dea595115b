//! OpenAI's interface.

mod chat;
mod chunks;
mod common;
mod completions;
mod embeddings;
pub(crate) mod failure;
mod models;
mod prompts;
mod responses;

use crate::table::Table;

pub(crate) fn routes() -> Table {
    Table::default()
        .get("/v1/models", models::list)
        .get("/v1/models/{*model}", models::one)
        .post("/v1/chat/completions", chat::complete)
        .post("/v1/completions", completions::complete)
        .post("/v1/embeddings", embeddings::embed)
        .post("/v1/responses", responses::create)
        .post("/v1/responses/input_tokens", responses::input_tokens)
}
