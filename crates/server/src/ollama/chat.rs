//! Chats.

use std::sync::Arc;
use std::time::Instant;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use qwill::{ChatEvent, ChatReply, Message, TokenLogprob, ToolCall};
use serde_json::{Map, Value, json};

use super::options::Settings;
use super::ways::{Way, finish, nothing_asked, put, timestamp, whole};
use crate::app::App;
use crate::failure::Failure;
use crate::fields::{Fields, shown};
use crate::ids::fresh;
use crate::payload::Payload;
use crate::running::Running;
use crate::stream::Out;

pub(super) async fn chat(State(app): State<Arc<App>>, payload: Payload) -> Result<Response, Failure> {
    let since = Instant::now();
    let mut fields = payload.fields();
    let way = Way::take(&mut fields)?;
    let mut settings = Settings::take(&mut fields)?;
    let messages = messages(fields.any("messages"))?;
    let tools: Option<Vec<Value>> = fields.take("tools", "a list of tools")?;
    fields.end()?;
    let lease = app.registry.lease(way.model.as_deref(), 1).await?;
    let name = lease.name().to_owned();
    settings.check(lease.model())?;
    drop(lease);
    if messages.is_empty() {
        let reason = if way.unloads() { "unload" } else { "load" };
        let _goes = way.goes_behind(&app);
        return Ok(Json(nothing_asked(line(&name, json!({"role": "assistant", "content": ""})), reason))
            .into_response());
    }
    settings.request.messages = Message::list(messages)?;
    settings.request.tools = tools;
    let running = Running::start(&app, way.model.as_deref(), vec![settings.request]).await?;
    if way.streams {
        return Ok(way.lines(&app, async move |out| write(running, &out, since).await));
    }
    let _goes = way.goes_behind(&app);
    let reply = running.reply().await?;
    Ok(whole(line(&name, message(&reply)?), &reply, since))
}

fn line(model: &str, message: Value) -> Value {
    json!({"model": model, "created_at": timestamp(), "message": message, "done": false})
}

fn message(reply: &ChatReply) -> Result<Value, Failure> {
    let mut message = json!({"role": "assistant", "content": reply.text});
    if !reply.reasoning.is_empty() {
        message["thinking"] = reply.reasoning.as_str().into();
    }
    if !reply.tool_calls.is_empty() {
        let calls = reply.tool_calls.iter().enumerate().map(|(index, one)| call(index, one));
        message["tool_calls"] = calls.collect::<Result<Vec<_>, _>>()?.into();
    }
    Ok(message)
}

fn call(index: usize, call: &ToolCall) -> Result<Value, Failure> {
    let arguments: Value = serde_json::from_str(&call.arguments)
        .map_err(|error| Failure::internal(format!("a call's arguments are no JSON: {error}")))?;
    Ok(json!({"id": fresh("call_"), "function": {"index": index, "name": call.name, "arguments": arguments}}))
}

async fn write(mut running: Running, out: &Out, since: Instant) -> Result<(), Failure> {
    let model = running.model().to_owned();
    let mut n_calls = 0;
    let mut logprobs: Vec<TokenLogprob> = Vec::new();
    while let Some(event) = running.next().await? {
        let message = match event.event {
            ChatEvent::Content { text } => json!({"role": "assistant", "content": text}),
            ChatEvent::Reasoning { text } => json!({"role": "assistant", "content": "", "thinking": text}),
            ChatEvent::ToolCall(one) => {
                n_calls += 1;
                json!({"role": "assistant", "content": "", "tool_calls": [call(n_calls - 1, &one)?]})
            }
            ChatEvent::Token { logprobs: told } => {
                logprobs.extend(told);
                continue;
            }
            ChatEvent::Progress { .. } | ChatEvent::Prompt { .. } | ChatEvent::ToolCallDelta(_) => continue,
        };
        let mut line = line(&model, message);
        tell(&mut line, &mut logprobs);
        put(out, &line).await?;
    }
    let reply = running.reply().await?;
    let mut last = line(&model, json!({"role": "assistant", "content": ""}));
    tell(&mut last, &mut logprobs);
    finish(&mut last, &reply, since);
    put(out, &last).await
}

/// Adds the log probabilities that were not told yet.
fn tell(line: &mut Value, logprobs: &mut Vec<TokenLogprob>) {
    if !logprobs.is_empty() {
        line["logprobs"] = json!(std::mem::take(logprobs));
    }
}

/// Messages in OpenAI's shape.
fn messages(messages: Value) -> Result<Vec<Value>, Failure> {
    let messages = match messages {
        Value::Null => Vec::new(),
        Value::Array(messages) => messages,
        other => return Err(Failure::invalid(format!("messages must be a list, not {}", shown(&other)))),
    };
    let read = |(index, message)| {
        let mut fields = Fields::at(format!("messages[{index}]"), message)?;
        fields.only("images", &[json!([])])?;
        let mut message: Map<String, Value> = fields.rest();
        if let Some(thoughts) = message.remove("thinking") {
            message.insert("reasoning_content".into(), thoughts);
        }
        if let Some(name) = message.remove("tool_name") {
            message.insert("name".into(), name);
        }
        Ok(Value::Object(message))
    };
    messages.into_iter().enumerate().map(read).collect()
}
