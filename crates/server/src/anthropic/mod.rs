//! Anthropic's interface: messages.

mod content;
mod events;
pub(crate) mod failure;
mod messages;
mod request;
mod tools;

use std::sync::Arc;

use axum::Router;
use axum::routing::post;

use crate::app::App;

pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/v1/messages", post(messages::create))
        .route("/v1/messages/count_tokens", post(messages::count_tokens))
}
