//! Why a request is not answered, whatever the dialect that says so.

use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

/// What kind of thing went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The request makes no sense, or asks for what is not served.
    Invalid,
    /// More tokens than the context holds, or than the server allows.
    PromptTooLong,
    /// No key, or a wrong one.
    Unauthorized,
    /// A web page that may not ask.
    Forbidden,
    /// No such route.
    NoRoute,
    /// No such model.
    NoModel,
    /// The route knows no such method.
    Method,
    /// A body beyond the limit.
    TooLarge,
    /// Too many requests; worth trying again after a while.
    Busy { retry_after: Duration },
    /// It took too long.
    Timeout,
    /// The server ends, or has no room for the model.
    Unavailable,
    /// The server's own fault.
    Internal,
    /// The client went away: nobody is told.
    Gone,
}

/// Why a request is not answered. As a response it has a status only; what it says is added by the dialect of its route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) kind: Kind,
    pub(crate) message: String,
}

impl Failure {
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(Kind::Invalid, message)
    }

    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self::new(Kind::Internal, message)
    }

    pub(crate) fn timeout() -> Self {
        Self::new(Kind::Timeout, "the request took longer than this server allows")
    }

    pub(crate) fn gone() -> Self {
        Self::new(Kind::Gone, "the client went away")
    }

    /// The status of HTTP; a dialect may have another.
    pub(crate) fn status(&self) -> StatusCode {
        match self.kind {
            Kind::Invalid | Kind::PromptTooLong => StatusCode::BAD_REQUEST,
            Kind::Unauthorized => StatusCode::UNAUTHORIZED,
            Kind::Forbidden => StatusCode::FORBIDDEN,
            Kind::NoRoute | Kind::NoModel => StatusCode::NOT_FOUND,
            Kind::Method => StatusCode::METHOD_NOT_ALLOWED,
            Kind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Kind::Busy { .. } => StatusCode::TOO_MANY_REQUESTS,
            Kind::Timeout => StatusCode::GATEWAY_TIMEOUT,
            Kind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Kind::Internal | Kind::Gone => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl From<qwill::Error> for Failure {
    fn from(error: qwill::Error) -> Self {
        use qwill::Error as E;
        let kind = match &error {
            E::PromptTooLong { .. } => Kind::PromptTooLong,
            E::Request(_)
            | E::Text(_)
            | E::Tokenizer(_)
            | E::ContextTooLong { .. }
            | E::NoLogits
            | E::Adapter(_) => Kind::Invalid,
            other if other.code() == "out-of-memory" => Kind::Unavailable,
            _ => Kind::Internal,
        };
        Self::new(kind, error.to_string())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}
