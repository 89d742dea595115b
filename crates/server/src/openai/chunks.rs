//! Chat completions in pieces.

use std::sync::Arc;

use qwill::{ChatEvent, TokenLogprob};
use serde_json::{Value, json};

use super::common::{DONE, finish_reason, usage};
use crate::failure::Failure;
use crate::ids::{fresh, now};
use crate::running::{Running, usage_of};
use crate::stream::{Out, sse};

/// What all chunks of an answer say.
struct Chunks {
    id: String,
    created: u64,
    model: String,
    /// Whether a last chunk will tell token counts, which the others then say they do not.
    tells_usage: bool,
    out: Arc<Out>,
}

impl Chunks {
    async fn put(&self, choices: Value) -> Result<(), Failure> {
        self.put_with(choices, Value::Null).await
    }

    async fn put_with(&self, choices: Value, usage: Value) -> Result<(), Failure> {
        let mut chunk = json!({
            "id": self.id,
            "object": "chat.completion.chunk",
            "created": self.created,
            "model": self.model,
            "choices": choices,
        });
        if self.tells_usage {
            chunk["usage"] = usage;
        }
        self.out.put(sse(None, &chunk)?).await
    }

    async fn delta(
        &self,
        index: usize,
        delta: Value,
        logprobs: Option<Vec<TokenLogprob>>,
    ) -> Result<(), Failure> {
        let logprobs = logprobs.map(|content| json!({"content": content, "refusal": null}));
        self.put(json!([{"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": null}])).await
    }
}

/// A choice whose deltas wait for the log probabilities of their tokens, which are told behind them.
#[derive(Default)]
struct Waiting(Vec<Value>);

/// Writes the chunks of all choices.
pub(super) async fn write(
    mut running: Running,
    out: Arc<Out>,
    with_logprobs: bool,
    tells_usage: bool,
) -> Result<(), Failure> {
    let chunks = Chunks {
        id: fresh("chatcmpl-"),
        created: now(),
        model: running.model().to_owned(),
        tells_usage,
        out,
    };
    let n = running.n_choices();
    for index in 0..n {
        chunks.delta(index, json!({"role": "assistant", "content": ""}), None).await?;
    }
    let mut waiting: Vec<Waiting> = (0..n).map(|_| Waiting::default()).collect();
    while let Some(event) = running.next().await? {
        let index = event.index;
        match (delta(&event.event), event.event) {
            (Some(delta), _) if with_logprobs => waiting[index].0.push(delta),
            (Some(delta), _) => chunks.delta(index, delta, None).await?,
            (None, ChatEvent::Token { logprobs: Some(logprobs) }) => {
                let mut deltas = std::mem::take(&mut waiting[index].0).into_iter();
                let first = deltas.next().unwrap_or_else(|| json!({}));
                chunks.delta(index, first, Some(vec![logprobs])).await?;
                for delta in deltas {
                    chunks.delta(index, delta, None).await?;
                }
            }
            (None, _) => {}
        }
    }
    for (index, waiting) in waiting.into_iter().enumerate() {
        for delta in waiting.0 {
            chunks.delta(index, delta, None).await?;
        }
    }
    let replies = running.replies().await?;
    for (index, reply) in replies.iter().enumerate() {
        let reason = finish_reason(reply.finish_reason);
        chunks.put(json!([{"index": index, "delta": {}, "logprobs": null, "finish_reason": reason}])).await?;
    }
    if tells_usage {
        chunks.put_with(json!([]), usage(usage_of(&replies, n))).await?;
    }
    chunks.out.put(DONE.to_owned()).await
}

/// What an event adds to a message.
fn delta(event: &ChatEvent) -> Option<Value> {
    match event {
        ChatEvent::Content { text } => Some(json!({"content": text})),
        ChatEvent::Reasoning { text } => Some(json!({"reasoning_content": text})),
        ChatEvent::ToolCallDelta(part) => {
            let call = match &part.name {
                Some(name) => json!({
                    "index": part.call,
                    "id": fresh("call_"),
                    "type": "function",
                    "function": {"name": name, "arguments": part.arguments},
                }),
                None => json!({"index": part.call, "function": {"arguments": part.arguments}}),
            };
            Some(json!({"tool_calls": [call]}))
        }
        // Calls were told in parts, and chats echo nothing.
        ChatEvent::ToolCall(_)
        | ChatEvent::Prompt { .. }
        | ChatEvent::Progress { .. }
        | ChatEvent::Token { .. } => None,
    }
}
