//! Chat completions.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use qwill::{ChatReply, ChatRequest};
use serde_json::{Value, json};

use super::chunks;
use super::common::{SSE, Way, finish_reason, usage};
use crate::app::App;
use crate::failure::Failure;
use crate::fields::Fields;
use crate::ids::{fresh, now};
use crate::payload::Payload;
use crate::running::{Running, usage_of};
use crate::stream;

pub(crate) async fn complete(State(app): State<Arc<App>>, payload: Payload) -> Result<Response, Failure> {
    let (way, fields) = Way::take(payload.0)?;
    let mut fields = Fields::of(fields);
    let slot = fields.count("id_slot")?;
    let fields = fields.rest();
    if let Some(name) = ["prompt", "suffix", "echo"].into_iter().find(|name| fields.contains_key(*name)) {
        return Err(Failure::invalid(format!("{name} is for /v1/completions; a chat has messages")));
    }
    let request = ChatRequest::try_from(fields)?;
    let with_logprobs = request.logprobs == Some(true);
    let kept = slot.map(|slot| (slot, request.clone()));
    let running = Running::start(&app, way.model.as_deref(), vec![request]).await?.keeping(kept);
    if way.streams {
        let write = move |out| chunks::write(running, out, with_logprobs, way.tells_usage);
        return Ok(stream::respond(&app, SSE, write));
    }
    let (id, created, model) = (fresh("chatcmpl-"), now(), running.model().to_owned());
    let replies = running.replies().await?;
    let choices: Vec<Value> = replies.iter().enumerate().map(choice).collect();
    Ok(Json(json!({
        "id": id,
        "object": "chat.completion",
        "created": created,
        "model": model,
        "choices": choices,
        "usage": usage(usage_of(&replies, replies.len())),
    }))
    .into_response())
}

fn choice((index, reply): (usize, &ChatReply)) -> Value {
    let logprobs =
        reply.logprobs.as_ref().map(|logprobs| json!({"content": logprobs.content, "refusal": null}));
    json!({
        "index": index,
        "message": message(reply),
        "logprobs": logprobs,
        "finish_reason": finish_reason(reply.finish_reason),
    })
}

fn message(reply: &ChatReply) -> Value {
    let mut message = json!({"role": "assistant", "content": reply.text, "refusal": null});
    if !reply.reasoning.is_empty() {
        message["reasoning_content"] = reply.reasoning.as_str().into();
    }
    if !reply.tool_calls.is_empty() {
        if reply.text.is_empty() {
            message["content"] = Value::Null;
        }
        let call = |call: &qwill::ToolCall| {
            let function = json!({"name": call.name, "arguments": call.arguments});
            json!({"id": fresh("call_"), "type": "function", "function": function})
        };
        message["tool_calls"] = reply.tool_calls.iter().map(call).collect();
    }
    message
}
