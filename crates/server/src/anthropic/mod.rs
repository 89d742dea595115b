//! Anthropic's interface: messages.

mod content;
mod ends;
mod events;
pub(crate) mod failure;
mod messages;
mod request;
mod tools;

use crate::table::Table;

pub(crate) fn routes() -> Table {
    Table::default()
        .post("/v1/messages", messages::create)
        .post("/v1/messages/count_tokens", messages::count_tokens)
}
