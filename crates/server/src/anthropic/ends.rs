//! Why messages end, and what they took.

use qwill::{ChatReply, FinishReason, Usage};
use serde_json::{Value, json};

/// Why a reply ended, and the stop sequence that ended it if one of these did.
pub(super) fn stop_reason<'r>(reply: &'r ChatReply, stops: &[String]) -> (&'static str, Option<&'r String>) {
    match (reply.finish_reason, &reply.stop_string) {
        (FinishReason::ToolCalls, _) => ("tool_use", None),
        (FinishReason::Stop, Some(stop)) if stops.contains(stop) => ("stop_sequence", Some(stop)),
        (FinishReason::Stop, _) => ("end_turn", None),
        // The server ended it; clients know no word for that.
        (FinishReason::Length | FinishReason::Aborted, _) => ("max_tokens", None),
    }
}

/// Token counts; those from the cache count apart.
pub(super) fn usage(usage: Usage) -> Value {
    json!({
        "input_tokens": usage.prompt_tokens - usage.cached_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": usage.cached_tokens,
        "output_tokens": usage.completion_tokens,
    })
}
