//! Which route is answered by what.

use std::sync::Arc;

use axum::Router;

use crate::app::App;
use crate::failure::{Failure, Kind};
use crate::{anthropic, native, ollama, openai};

/// All routes.
pub(crate) fn router() -> Router<Arc<App>> {
    Router::new()
        .merge(openai::routes())
        .merge(anthropic::routes())
        .merge(ollama::routes())
        .merge(native::routes())
        .fallback(async |uri: axum::http::Uri| {
            Failure::new(Kind::NoRoute, format!("there is no route {}", uri.path()))
        })
        .method_not_allowed_fallback(async |method: axum::http::Method, uri: axum::http::Uri| {
            Failure::new(Kind::Method, format!("{} does not know {method}", uri.path()))
        })
}
