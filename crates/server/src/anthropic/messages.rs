//! Messages, and how many tokens they are.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use qwill::ChatReply;
use serde_json::{Value, json};

use super::ends::{stop_reason, usage};
use super::events;
use super::request::{Asked, Length};
use crate::app::App;
use crate::failure::Failure;
use crate::ids::fresh;
use crate::payload::Payload;
use crate::running::Running;
use crate::stream;

pub(super) async fn create(State(app): State<Arc<App>>, payload: Payload) -> Result<Response, Failure> {
    let Asked { model, streams, request } = Asked::read(payload.0, Length::Needed)?;
    let stops = request.stop.clone();
    let running = Running::start(&app, model.as_deref(), vec![request]).await?;
    if streams {
        return Ok(stream::respond(&app, events::FORM, move |out| events::write(running, out, stops)));
    }
    let model = running.model().to_owned();
    let reply = running.reply().await?;
    let (reason, sequence) = stop_reason(&reply, &stops);
    Ok(Json(json!({
        "id": fresh("msg_"),
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": content(&reply)?,
        "stop_reason": reason,
        "stop_sequence": sequence,
        "usage": usage(reply.usage),
    }))
    .into_response())
}

pub(super) async fn count_tokens(
    State(app): State<Arc<App>>,
    payload: Payload,
) -> Result<Json<Value>, Failure> {
    let Asked { model, request, .. } = Asked::read(payload.0, Length::Unneeded)?;
    let lease = app.registry.lease(model.as_deref(), 1).await?;
    let model = lease.model().clone();
    let ids = app.aside(move || Ok(model.prompt_ids(&request)?)).await?;
    Ok(Json(json!({"input_tokens": ids.len()})))
}

fn content(reply: &ChatReply) -> Result<Vec<Value>, Failure> {
    let mut blocks = Vec::new();
    if !reply.reasoning.is_empty() {
        blocks.push(json!({"type": "thinking", "thinking": reply.reasoning, "signature": ""}));
    }
    if !reply.text.is_empty() {
        blocks.push(json!({"type": "text", "text": reply.text, "citations": null}));
    }
    for call in &reply.tool_calls {
        let input: Value = serde_json::from_str(&call.arguments)
            .map_err(|error| Failure::internal(format!("a call's arguments are no JSON: {error}")))?;
        blocks.push(json!({"type": "tool_use", "id": fresh("toolu_"), "name": call.name, "input": input}));
    }
    Ok(blocks)
}
