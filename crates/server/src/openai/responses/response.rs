//! What a response says besides its items.

use qwill::{ChatReply, FinishReason, Usage};
use serde_json::{Map, Value, json};

use crate::ids::{fresh, now};

/// A response without its items.
pub(super) struct Frame(Map<String, Value>);

impl Frame {
    /// Of a request that said this.
    pub(super) fn new(model: &str, told: Map<String, Value>) -> Self {
        let usual = json!({
            "id": fresh("resp_"),
            "object": "response",
            "created_at": now(),
            "status": "in_progress",
            "background": false,
            "completed_at": null,
            "error": null,
            "incomplete_details": null,
            "instructions": null,
            "max_output_tokens": null,
            "max_tool_calls": null,
            "metadata": {},
            "model": model,
            "output": [],
            "parallel_tool_calls": true,
            "previous_response_id": null,
            "reasoning": {"effort": null, "summary": null},
            "store": false,
            "temperature": null,
            "text": {"format": {"type": "text"}},
            "tool_choice": "auto",
            "tools": [],
            "top_p": null,
            "truncation": "disabled",
            "usage": null,
        });
        let mut frame = match usual {
            Value::Object(frame) => frame,
            _ => Map::new(),
        };
        frame.extend(told.into_iter().filter(|(_, value)| !value.is_null()));
        // Whatever was wished.
        frame.insert("store".into(), false.into());
        Self(frame)
    }

    /// The response before anything has come of it.
    pub(super) fn begun(&self) -> Value {
        Value::Object(self.0.clone())
    }

    /// The response with all its items.
    pub(super) fn ended(mut self, items: &[Value], reply: &ChatReply) -> Value {
        let is_whole = matches!(reply.finish_reason, FinishReason::Stop | FinishReason::ToolCalls);
        let mut set = |name: &str, value: Value| self.0.insert(name.to_owned(), value);
        if is_whole {
            set("status", "completed".into());
            set("completed_at", now().into());
        } else {
            set("status", "incomplete".into());
            set("incomplete_details", json!({"reason": "max_output_tokens"}));
        }
        let mut items = items.to_vec();
        if let (false, Some(last)) = (is_whole, items.last_mut()) {
            last["status"] = "incomplete".into();
        }
        set("output", items.into());
        set("usage", usage(reply.usage));
        Value::Object(self.0)
    }
}

fn usage(usage: Usage) -> Value {
    json!({
        "input_tokens": usage.prompt_tokens,
        "input_tokens_details": {"cached_tokens": usage.cached_tokens, "cache_write_tokens": 0},
        "output_tokens": usage.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
    })
}
