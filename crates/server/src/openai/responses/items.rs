//! The items of a response, and what is told while they are made.

use qwill::ChatEvent;
use serde_json::{Value, json};

use crate::blocks::{Block, Blocks, Told};
use crate::ids::fresh;

/// The items of a response.
#[derive(Default)]
pub(super) struct Items {
    blocks: Blocks,
    /// Those that have ended.
    ended: Vec<Value>,
    open: Option<Open>,
}

/// An item that is made.
struct Open {
    id: String,
    block: Block,
    /// Of a call.
    call_id: String,
    text: String,
}

impl Open {
    /// The item so far.
    fn item(&self, status: &str) -> Value {
        let Self { id, block, call_id, text } = self;
        match block {
            Block::Thoughts => json!({
                "id": id, "type": "reasoning", "summary": [], "content": self.parts(), "status": status,
            }),
            Block::Text => json!({
                "id": id, "type": "message", "status": status, "role": "assistant",
                "content": self.parts(),
            }),
            Block::Call(name) => json!({
                "id": id, "type": "function_call", "status": status, "call_id": call_id, "name": name, "arguments": text,
            }),
        }
    }

    /// The one part of an item with text, if there is any text.
    fn parts(&self) -> Vec<Value> {
        if self.text.is_empty() { Vec::new() } else { vec![part(&self.block, &self.text)] }
    }
}

fn part(block: &Block, text: &str) -> Value {
    match block {
        Block::Thoughts => json!({"type": "reasoning_text", "text": text}),
        _ => json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []}),
    }
}

impl Items {
    /// What an event does, as events of the interface.
    pub(super) fn take(&mut self, event: ChatEvent) -> Vec<Value> {
        let told = self.blocks.take(event);
        told.into_iter().flat_map(|told| self.tell(told)).collect()
    }

    /// The reply has ended.
    pub(super) fn end(&mut self) -> Vec<Value> {
        let told = self.blocks.end();
        told.into_iter().flat_map(|told| self.tell(told)).collect()
    }

    /// All items, in their order.
    pub(super) fn done(self) -> Vec<Value> {
        self.ended
    }

    fn tell(&mut self, told: Told) -> Vec<Value> {
        let index = self.ended.len();
        match told {
            Told::Begin(block) => {
                let prefix = match block {
                    Block::Thoughts => "rs_",
                    Block::Text => "msg_",
                    Block::Call(_) => "fc_",
                };
                let open = Open { id: fresh(prefix), block, call_id: fresh("call_"), text: String::new() };
                let item = open.item("in_progress");
                let mut events =
                    vec![json!({"type": "response.output_item.added", "output_index": index, "item": item})];
                if !matches!(open.block, Block::Call(_)) {
                    let part = part(&open.block, "");
                    events.push(json!({
                        "type": "response.content_part.added", "item_id": open.id, "output_index": index,
                        "content_index": 0, "part": part,
                    }));
                }
                self.open = Some(open);
                events
            }
            Told::More(more) => {
                let Some(open) = &mut self.open else { return Vec::new() };
                open.text += &more;
                let mut event = json!({"type": "", "item_id": open.id, "output_index": index, "delta": more});
                match open.block {
                    Block::Call(_) => event["type"] = "response.function_call_arguments.delta".into(),
                    Block::Thoughts => {
                        event["type"] = "response.reasoning_text.delta".into();
                        event["content_index"] = 0.into();
                    }
                    Block::Text => {
                        event["type"] = "response.output_text.delta".into();
                        event["content_index"] = 0.into();
                        event["logprobs"] = json!([]);
                    }
                }
                vec![event]
            }
            Told::End => {
                let Some(open) = self.open.take() else { return Vec::new() };
                let item = open.item("completed");
                self.ended.push(item.clone());
                let mut events = done(&open, index);
                events
                    .push(json!({"type": "response.output_item.done", "output_index": index, "item": item}));
                events
            }
        }
    }
}

/// What is told of an item's text when it is whole.
fn done(open: &Open, index: usize) -> Vec<Value> {
    let Open { id, block, text, .. } = open;
    let part = json!({
        "type": "response.content_part.done", "item_id": id, "output_index": index, "content_index": 0,
        "part": part(block, text),
    });
    match block {
        Block::Call(name) => vec![json!({
            "type": "response.function_call_arguments.done", "item_id": id, "output_index": index,
            "name": name, "arguments": text,
        })],
        Block::Thoughts => vec![
            json!({
                "type": "response.reasoning_text.done", "item_id": id, "output_index": index, "content_index": 0,
                "text": text,
            }),
            part,
        ],
        Block::Text => vec![
            json!({
                "type": "response.output_text.done", "item_id": id, "output_index": index, "content_index": 0,
                "text": text, "logprobs": [],
            }),
            part,
        ],
    }
}
