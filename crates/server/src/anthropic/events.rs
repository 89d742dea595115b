//! Messages while they are made.

use std::sync::Arc;

use qwill::Usage;
use serde_json::{Value, json};

use super::ends::{stop_reason, usage};
use crate::blocks::{Block, Blocks, Told};
use crate::failure::Failure;
use crate::ids::fresh;
use crate::running::Running;
use crate::stream::{Form, Out, sse};

pub(super) const FORM: Form = Form {
    content_type: "text/event-stream",
    ping: Some("event: ping\ndata: {\"type\": \"ping\"}\n\n"),
    failed: |failure| format!("event: error\ndata: {}\n\n", super::failure::body(failure)),
};

/// Writes the events of a message.
pub(super) async fn write(mut running: Running, out: Arc<Out>, stops: Vec<String>) -> Result<(), Failure> {
    let put = async |event: Value| out.put(sse(event["type"].as_str(), &event)?).await;
    let read = Usage { prompt_tokens: running.prompt_tokens(), ..Usage::default() };
    let message = json!({
        "id": fresh("msg_"),
        "type": "message",
        "role": "assistant",
        "model": running.model(),
        "content": [],
        "stop_reason": null,
        "stop_sequence": null,
        "usage": usage(read),
    });
    put(json!({"type": "message_start", "message": message})).await?;
    put(json!({"type": "ping"})).await?;
    let mut blocks = Content::default();
    while let Some(event) = running.next().await? {
        for event in blocks.events(|open| open.take(event.event)) {
            put(event).await?;
        }
    }
    for event in blocks.events(Blocks::end) {
        put(event).await?;
    }
    let reply = running.reply().await?;
    let (reason, sequence) = stop_reason(&reply, &stops);
    let delta = json!({"stop_reason": reason, "stop_sequence": sequence});
    put(json!({"type": "message_delta", "delta": delta, "usage": usage(reply.usage)})).await?;
    put(json!({"type": "message_stop"})).await
}

/// The blocks of a message.
#[derive(Default)]
struct Content {
    open: Blocks,
    /// What grows the block that is open.
    delta: (&'static str, &'static str),
    /// Blocks that have ended.
    n_ended: usize,
}

impl Content {
    /// What is told of what happens to blocks.
    fn events(&mut self, happens: impl FnOnce(&mut Blocks) -> Vec<Told>) -> Vec<Value> {
        let told = happens(&mut self.open);
        told.into_iter().map(|told| self.event(told)).collect()
    }

    fn event(&mut self, told: Told) -> Value {
        let index = self.n_ended;
        match told {
            Told::Begin(block) => {
                let (delta, block) = match block {
                    Block::Thoughts => (
                        ("thinking_delta", "thinking"),
                        json!({"type": "thinking", "thinking": "", "signature": ""}),
                    ),
                    Block::Text => {
                        (("text_delta", "text"), json!({"type": "text", "text": "", "citations": null}))
                    }
                    Block::Call(name) => (
                        ("input_json_delta", "partial_json"),
                        json!({"type": "tool_use", "id": fresh("toolu_"), "name": name, "input": {}}),
                    ),
                };
                self.delta = delta;
                json!({"type": "content_block_start", "index": index, "content_block": block})
            }
            Told::More(text) => {
                let (kind, field) = self.delta;
                let mut delta = json!({"type": kind});
                delta[field] = text.into();
                json!({"type": "content_block_delta", "index": index, "delta": delta})
            }
            Told::End => {
                self.n_ended += 1;
                json!({"type": "content_block_stop", "index": index})
            }
        }
    }
}
