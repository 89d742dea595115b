//! The body of a request: a JSON object within the limits, whatever its content type claims.

use std::error::Error;
use std::sync::Arc;

use axum::extract::{FromRequest, Request};
use axum::http::header;
use http_body_util::LengthLimitError;
use serde_json::{Map, Value};
use tokio::time::timeout;

use crate::app::App;
use crate::failure::{Failure, Kind};
use crate::fields::{Fields, shown};

/// The fields of a request's body.
pub(crate) struct Payload(pub(crate) Map<String, Value>);

impl Payload {
    pub(crate) fn fields(self) -> Fields {
        Fields::of(self.0)
    }
}

impl FromRequest<Arc<App>> for Payload {
    type Rejection = Failure;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Failure> {
        let limit = app.options.max_body_bytes;
        let too_large = || Failure::new(Kind::TooLarge, format!("the body is larger than {limit} bytes"));
        let length =
            request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        if length.is_some_and(|length: usize| length > limit) {
            return Err(too_large());
        }
        let body = axum::body::to_bytes(request.into_body(), limit);
        let body = timeout(app.options.client_timeout, body).await.map_err(|_| Failure::timeout())?;
        let bytes = body.map_err(|error| match error.source() {
            Some(source) if source.is::<LengthLimitError>() => too_large(),
            _ => Failure::invalid(format!("the body cannot be read: {error}")),
        })?;
        match serde_json::from_slice(&bytes) {
            Ok(Value::Object(fields)) => Ok(Self(fields)),
            Ok(other) => {
                Err(Failure::invalid(format!("the body must be a JSON object, not {}", shown(&other))))
            }
            Err(error) => Err(Failure::invalid(format!("the body is no JSON: {error}"))),
        }
    }
}
