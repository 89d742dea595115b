//! Replies to a prompt.

use std::sync::Arc;
use std::time::Instant;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use qwill::{ChatEvent, Message};
use serde_json::{Value, json};

use super::options::Settings;
use super::ways::{Way, finish, nothing_asked, put, timestamp, whole};
use crate::app::App;
use crate::failure::Failure;
use crate::payload::Payload;
use crate::running::Running;
use crate::stream::Out;

pub(super) async fn generate(State(app): State<Arc<App>>, payload: Payload) -> Result<Response, Failure> {
    let since = Instant::now();
    let mut fields = payload.fields();
    let way = Way::take(&mut fields)?;
    let mut settings = Settings::take(&mut fields)?;
    let prompt = fields.text("prompt")?.unwrap_or_default();
    let suffix = fields.text("suffix")?.filter(|suffix| !suffix.is_empty());
    let system = fields.text("system")?.filter(|system| !system.is_empty());
    let is_raw = fields.flag("raw")?;
    fields.only("template", &[json!("")])?;
    // Conversations are messages: /api/chat.
    fields.only("context", &[json!([])])?;
    fields.only("images", &[json!([])])?;
    fields.end()?;
    let lease = app.registry.lease(way.model.as_deref(), 1).await?;
    let name = lease.name().to_owned();
    settings.check(lease.model())?;
    drop(lease);
    if prompt.is_empty() && suffix.is_none() {
        let reason = if way.unloads() { "unload" } else { "load" };
        let _goes = way.goes_behind(&app);
        return Ok(Json(nothing_asked(line(&name, ""), reason)).into_response());
    }
    if is_raw || suffix.is_some() {
        if system.is_some() {
            return Err(Failure::invalid(
                "system is for prompts that become a chat, neither raw nor with a suffix",
            ));
        }
        settings.request.prompt = Some(prompt);
        settings.request.suffix = suffix;
    } else {
        settings.request.messages.extend(system.map(Message::system));
        settings.request.messages.push(Message::user(prompt));
    }
    let running = Running::start(&app, way.model.as_deref(), vec![settings.request]).await?;
    if way.streams {
        return Ok(way.lines(&app, async move |out| write(running, &out, since).await));
    }
    let _goes = way.goes_behind(&app);
    let reply = running.reply().await?;
    let mut line = line(&name, &reply.text);
    if !reply.reasoning.is_empty() {
        line["thinking"] = reply.reasoning.as_str().into();
    }
    Ok(whole(line, &reply, since))
}

fn line(model: &str, response: &str) -> Value {
    json!({"model": model, "created_at": timestamp(), "response": response, "done": false})
}

async fn write(mut running: Running, out: &Out, since: Instant) -> Result<(), Failure> {
    let model = running.model().to_owned();
    while let Some(event) = running.next().await? {
        match event.event {
            ChatEvent::Content { text } => put(out, &line(&model, &text)).await?,
            ChatEvent::Reasoning { text } => {
                let mut line = line(&model, "");
                line["thinking"] = text.into();
                put(out, &line).await?;
            }
            ChatEvent::Token { logprobs: Some(logprobs) } => {
                let mut line = line(&model, "");
                line["logprobs"] = json!([logprobs]);
                put(out, &line).await?;
            }
            ChatEvent::Progress { .. }
            | ChatEvent::Prompt { .. }
            | ChatEvent::ToolCallDelta(_)
            | ChatEvent::ToolCall(_)
            | ChatEvent::Token { logprobs: None } => {}
        }
    }
    let reply = running.reply().await?;
    let mut last = line(&model, "");
    finish(&mut last, &reply, since);
    put(out, &last).await
}
