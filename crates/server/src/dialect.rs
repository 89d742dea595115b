//! Whose shapes a route speaks in.

use axum::Json;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};

use crate::failure::{Failure, Kind};
use crate::{anthropic, ollama, openai};

/// Whose shapes a route speaks in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// OpenAI's, and those of routes that only qwill has.
    OpenAi,
    Anthropic,
    Ollama,
}

impl Dialect {
    /// Of the route with this path, whether or not it is there.
    pub(crate) fn of(path: &str) -> Self {
        if path == "/v1/messages" || path.starts_with("/v1/messages/") {
            Self::Anthropic
        } else if path.starts_with("/api/") {
            Self::Ollama
        } else {
            Self::OpenAi
        }
    }

    /// What a client of this dialect is told.
    pub(crate) fn response(self, failure: &Failure) -> Response {
        let (status, body) = match self {
            Self::OpenAi => (failure.status(), openai::failure::body(failure)),
            Self::Anthropic => (anthropic::failure::status(failure), anthropic::failure::body(failure)),
            Self::Ollama => (failure.status(), ollama::failure::body(failure)),
        };
        let mut response = (status, Json(body)).into_response();
        if let Kind::Busy { retry_after } = failure.kind {
            let seconds = retry_after.as_secs().max(1);
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
