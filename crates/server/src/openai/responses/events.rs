//! Responses while they are made.

use std::sync::Arc;

use serde_json::{Value, json};

use super::items::Items;
use super::response::Frame;
use crate::failure::Failure;
use crate::running::Running;
use crate::stream::{Form, Out, sse};

pub(super) const FORM: Form = Form {
    content_type: "text/event-stream",
    ping: Some(": still at it\n\n"),
    failed: |failure| {
        let error = &super::super::failure::body(failure)["error"];
        let event = json!({
            "type": "error", "code": error["code"], "message": error["message"], "param": null, "sequence_number": 0,
        });
        format!("event: error\ndata: {event}\n\n")
    },
};

/// Numbers the events.
struct Numbered {
    out: Arc<Out>,
    next: usize,
}

impl Numbered {
    async fn put(&mut self, mut event: Value) -> Result<(), Failure> {
        event["sequence_number"] = self.next.into();
        self.next += 1;
        self.out.put(sse(event["type"].as_str(), &event)?).await
    }
}

/// Writes the events of a response.
pub(super) async fn write(mut running: Running, out: Arc<Out>, frame: Frame) -> Result<(), Failure> {
    let mut out = Numbered { out, next: 0 };
    out.put(json!({"type": "response.created", "response": frame.begun()})).await?;
    out.put(json!({"type": "response.in_progress", "response": frame.begun()})).await?;
    let mut items = Items::default();
    while let Some(event) = running.next().await? {
        for event in items.take(event.event) {
            out.put(event).await?;
        }
    }
    for event in items.end() {
        out.put(event).await?;
    }
    let reply = running.reply().await?;
    let response = frame.ended(&items.done(), &reply);
    let kind = if response["status"] == "completed" { "response.completed" } else { "response.incomplete" };
    out.put(json!({"type": kind, "response": response})).await
}
