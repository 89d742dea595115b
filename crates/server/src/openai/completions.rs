//! Completions of raw prompts.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use qwill::{ChatEvent, ChatReply, ChatRequest, CompletionLogprobs, ReplyLogprobs, TokenLogprob};
use serde_json::{Map, Value, json};

use super::common::{DONE, SSE, Way, finish_reason, usage};
use super::prompts::{Input, One};
use crate::app::App;
use crate::failure::Failure;
use crate::fields::Fields;
use crate::ids::{fresh, now};
use crate::payload::Payload;
use crate::running::{Running, usage_of};
use crate::stream::{self, Out, sse};

/// Prompts of one request.
const MOST: usize = 128;
/// Tokens of a completion that says nothing of its length, as OpenAI has it.
const USUAL_TOKENS: usize = 16;

pub(crate) async fn complete(State(app): State<Arc<App>>, payload: Payload) -> Result<Response, Failure> {
    let (way, fields) = Way::take(payload.0)?;
    let (prompts, mut fields) = take_prompts(fields)?;
    if fields.contains_key("messages") {
        return Err(Failure::invalid("messages are for /v1/chat/completions; a completion has a prompt"));
    }
    let texts = texts(&app, way.model.as_deref(), prompts).await?;
    if fields.get("max_tokens").is_none_or(Value::is_null) {
        fields.insert("max_tokens".into(), USUAL_TOKENS.into());
    }
    // The prompt is what tells the shape of "logprobs".
    fields.insert("prompt".into(), String::new().into());
    let request = ChatRequest::try_from(fields)?;
    let of = |text| ChatRequest { prompt: Some(text), ..request.clone() };
    let running = Running::start(&app, way.model.as_deref(), texts.into_iter().map(of).collect()).await?;
    let told = Told {
        id: fresh("cmpl-"),
        created: now(),
        model: running.model().to_owned(),
        n: request.n.unwrap_or(1),
        usage: way.tells_usage,
    };
    if way.streams {
        return Ok(stream::respond(&app, SSE, move |out| told.write(running, out)));
    }
    let replies = running.replies().await?;
    let choices: Vec<Value> = replies.iter().enumerate().map(choice).collect();
    Ok(Json(told.whole(choices, usage(usage_of(&replies, told.n)))).into_response())
}

/// The prompts, and what else the request says.
fn take_prompts(fields: Map<String, Value>) -> Result<(Vec<One>, Map<String, Value>), Failure> {
    let mut fields = Fields::of(fields);
    let prompts = fields.need::<Input>("prompt", Input::RIGHT)?.each("prompt", MOST)?;
    let best_of = fields.count("best_of")?;
    let n = fields.count("n")?.unwrap_or(1);
    if best_of.is_some_and(|best| best != n) {
        return Err(Failure::invalid(format!("best_of must be n, which is {n}: all replies are given")));
    }
    let mut fields = fields.rest();
    fields.insert("n".into(), n.into());
    Ok((prompts, fields))
}

async fn texts(app: &Arc<App>, model: Option<&str>, prompts: Vec<One>) -> Result<Vec<String>, Failure> {
    if prompts.iter().all(|prompt| matches!(prompt, One::Text(_))) {
        // no model is needed for that
        return Ok(prompts
            .into_iter()
            .filter_map(|one| if let One::Text(text) = one { Some(text) } else { None })
            .collect());
    }
    let lease = app.registry.lease(model, 1).await?;
    prompts.into_iter().map(|prompt| prompt.into_text(lease.model())).collect()
}

fn choice((index, reply): (usize, &ChatReply)) -> Value {
    json!({
        "index": index,
        "text": reply.text,
        "logprobs": reply.logprobs.as_ref().map(ReplyLogprobs::completion),
        "finish_reason": finish_reason(reply.finish_reason),
    })
}

/// What an answer and all its chunks say.
struct Told {
    id: String,
    created: u64,
    model: String,
    /// Replies to each prompt.
    n: usize,
    usage: bool,
}

impl Told {
    fn whole(&self, choices: Vec<Value>, usage: Value) -> Value {
        json!({
            "id": self.id,
            "object": "text_completion",
            "created": self.created,
            "model": self.model,
            "choices": choices,
            "usage": usage,
        })
    }

    async fn put(&self, out: &Out, choices: Vec<Value>, usage: Value) -> Result<(), Failure> {
        let mut chunk = self.whole(choices, usage);
        if let (false, Some(chunk)) = (self.usage, chunk.as_object_mut()) {
            chunk.remove("usage");
        }
        out.put(sse(None, &chunk)?).await
    }

    async fn piece(
        &self,
        out: &Out,
        index: usize,
        text: &str,
        logprobs: Option<CompletionLogprobs>,
    ) -> Result<(), Failure> {
        let choice = json!({"index": index, "text": text, "logprobs": logprobs, "finish_reason": null});
        self.put(out, vec![choice], Value::Null).await
    }

    async fn write(self, mut running: Running, out: Arc<Out>) -> Result<(), Failure> {
        // Texts wait for the log probabilities of their tokens, which are told behind them.
        let mut waiting = vec![String::new(); running.n_choices()];
        let mut offsets = vec![0; running.n_choices()];
        let mut tell = |index: usize, tokens: &[TokenLogprob]| {
            (!tokens.is_empty()).then(|| CompletionLogprobs::following(&mut offsets[index], tokens))
        };
        while let Some(event) = running.next().await? {
            let index = event.index;
            match event.event {
                ChatEvent::Prompt { text, logprobs } => {
                    self.piece(&out, index, &text, tell(index, &logprobs)).await?;
                }
                ChatEvent::Content { text } => waiting[index].push_str(&text),
                ChatEvent::Token { logprobs } => {
                    let text = std::mem::take(&mut waiting[index]);
                    if !text.is_empty() || logprobs.is_some() {
                        self.piece(&out, index, &text, tell(index, logprobs.as_slice())).await?;
                    }
                }
                ChatEvent::Progress { .. }
                | ChatEvent::Reasoning { .. }
                | ChatEvent::ToolCallDelta(_)
                | ChatEvent::ToolCall(_) => {}
            }
        }
        let replies = running.replies().await?;
        for (index, (reply, text)) in replies.iter().zip(waiting).enumerate() {
            let reason = finish_reason(reply.finish_reason);
            let choice = json!({"index": index, "text": text, "logprobs": null, "finish_reason": reason});
            self.put(&out, vec![choice], Value::Null).await?;
        }
        if self.usage {
            self.put(&out, Vec::new(), usage(usage_of(&replies, self.n))).await?;
        }
        out.put(DONE.to_owned()).await
    }
}
