//! Ollama's interface.

mod chat;
mod embed;
pub(crate) mod failure;
mod generate;
mod models;
mod options;
mod ways;

use crate::table::Table;

pub(crate) fn routes() -> Table {
    Table::default()
        .post("/api/chat", chat::chat)
        .post("/api/generate", generate::generate)
        .post("/api/embed", embed::embed)
        .get("/api/tags", models::tags)
        .post("/api/show", models::show)
        .get("/api/ps", models::ps)
        .get("/api/version", models::version)
}
