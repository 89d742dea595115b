//! What belongs between two texts, in llama.cpp's shape.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use qwill::{ChatEvent, ChatReply, ChatRequest, FinishReason, SamplingOptions};
use serde_json::{Value, json};

use crate::app::App;
use crate::failure::Failure;
use crate::openai;
use crate::payload::Payload;
use crate::running::Running;
use crate::stream::{self, Form, Out, sse};

const FORM: Form = Form {
    content_type: "text/event-stream",
    ping: Some(": still at it\n\n"),
    failed: |failure| format!("data: {}\n\n", openai::failure::body(failure)),
};

pub(crate) async fn fill(State(app): State<Arc<App>>, payload: Payload) -> Result<Response, Failure> {
    let mut fields = payload.fields();
    let model = fields.text("model")?;
    let streams = fields.flag("stream")?;
    let before: String = fields.need("input_prefix", "the text before the gap")?;
    let after: String = fields.need("input_suffix", "the text behind the gap")?;
    fields.only("input_extra", &[json!([])])?;
    fields.only("prompt", &[json!("")])?;
    // The cache is always used.
    fields.ignore(&["cache_prompt"]);
    let most: Option<i64> = fields.take("n_predict", "a whole number; -1 is as many as fit")?;
    let sampling = SamplingOptions {
        temperature: fields.number("temperature")?,
        top_k: fields.take("top_k", "a whole number from 0 on")?,
        top_p: fields.number("top_p")?,
        min_p: fields.number("min_p")?,
        repetition_penalty: fields.number("repeat_penalty")?,
        presence_penalty: fields.number("presence_penalty")?,
        frequency_penalty: fields.number("frequency_penalty")?,
        seed: fields.take("seed", "a whole number from 0 on")?,
    };
    let request = ChatRequest {
        prompt: Some(before),
        suffix: Some(after),
        max_tokens: most.and_then(|most| usize::try_from(most).ok()),
        stop: fields.texts("stop")?,
        sampling,
        ..ChatRequest::default()
    };
    fields.end()?;
    let running = Running::start(&app, model.as_deref(), vec![request]).await?;
    if streams {
        return Ok(stream::respond(&app, FORM, move |out| write(running, out)));
    }
    let model = running.model().to_owned();
    let reply = running.reply().await?;
    Ok(Json(ended(&model, &reply.text, &reply)).into_response())
}

async fn write(mut running: Running, out: Arc<Out>) -> Result<(), Failure> {
    let model = running.model().to_owned();
    while let Some(event) = running.next().await? {
        if let ChatEvent::Content { text } = event.event {
            out.put(sse(None, &json!({"content": text, "stop": false}))?).await?;
        }
    }
    let reply = running.reply().await?;
    out.put(sse(None, &ended(&model, "", &reply))?).await
}

fn ended(model: &str, content: &str, reply: &ChatReply) -> Value {
    let why = match (&reply.stop_string, reply.finish_reason) {
        (Some(_), _) => "word",
        (None, FinishReason::Stop | FinishReason::ToolCalls) => "eos",
        (None, FinishReason::Length | FinishReason::Aborted) => "limit",
    };
    json!({
        "content": content,
        "stop": true,
        "model": model,
        "stop_type": why,
        "stopping_word": reply.stop_string.as_deref().unwrap_or_default(),
        "tokens_predicted": reply.usage.completion_tokens,
        "tokens_evaluated": reply.usage.prompt_tokens,
        "tokens_cached": reply.usage.cached_tokens,
        "timings": reply.timings,
    })
}
