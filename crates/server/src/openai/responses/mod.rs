//! Responses: OpenAI's younger interface, whose answers are lists of items.

mod events;
mod input;
mod items;
mod request;
mod response;

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use self::items::Items;
use self::request::Asked;
use crate::app::App;
use crate::failure::Failure;
use crate::payload::Payload;
use crate::running::Running;
use crate::stream;

pub(super) async fn create(State(app): State<Arc<App>>, payload: Payload) -> Result<Response, Failure> {
    let Asked { model, streams, request, told } = Asked::read(payload.0)?;
    let mut running = Running::start(&app, model.as_deref(), vec![request]).await?;
    let frame = response::Frame::new(running.model(), told);
    if streams {
        return Ok(stream::respond(&app, events::FORM, move |out| events::write(running, out, frame)));
    }
    let mut items = Items::default();
    while let Some(event) = running.next().await? {
        items.take(event.event);
    }
    items.end();
    let reply = running.reply().await?;
    Ok(Json(frame.ended(&items.done(), &reply)).into_response())
}

/// How many tokens a request has.
pub(super) async fn input_tokens(
    State(app): State<Arc<App>>,
    payload: Payload,
) -> Result<Json<Value>, Failure> {
    let Asked { model, request, .. } = Asked::read(payload.0)?;
    let lease = app.registry.lease(model.as_deref(), 1).await?;
    let model = lease.model().clone();
    let ids = app.aside(move || Ok(model.prompt_ids(&request)?)).await?;
    Ok(Json(json!({"object": "response.input_tokens", "input_tokens": ids.len()})))
}
