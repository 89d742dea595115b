//! What chats and completions have in common.

use qwill::{FinishReason, Usage};
use serde_json::{Map, Value, json};

use crate::failure::Failure;
use crate::fields::Fields;
use crate::stream::Form;

/// What a request says of its answer's way, and not of the reply.
pub(super) struct Way {
    pub(super) model: Option<String>,
    pub(super) streams: bool,
    pub(super) tells_usage: bool,
}

impl Way {
    /// Takes it out of a request, and with it what official clients send and what changes nothing here.
    pub(super) fn take(fields: Map<String, Value>) -> Result<(Self, Map<String, Value>), Failure> {
        let mut fields = Fields::of(fields);
        let model = fields.text("model")?;
        let streams = fields.flag("stream")?;
        let tells_usage = match fields.object("stream_options")? {
            Some(mut options) => {
                let tells = options.flag("include_usage")?;
                // Padding against eavesdroppers who count bytes: on the own machine there are none.
                options.ignore(&["include_obfuscation"]);
                options.end()?;
                tells
            }
            None => false,
        };
        // Who asks, for whom and at which price, what may be kept, and guesses that only make others' servers faster.
        fields.ignore(&[
            "metadata",
            "prediction",
            "prompt_cache_key",
            "prompt_cache_options",
            "prompt_cache_retention",
            "safety_identifier",
            "service_tier",
            "store",
            "user",
        ]);
        fields.only("modalities", &[json!(["text"])])?;
        fields.only("verbosity", &[json!("medium")])?;
        fields.only("moderation", &[])?;
        Ok((Self { model, streams, tells_usage }, fields.rest()))
    }
}

pub(super) const SSE: Form = Form {
    content_type: "text/event-stream",
    ping: Some(": still at it\n\n"),
    failed: |failure| format!("data: {}\n\n", super::failure::body(failure)),
};

/// Ends a stream of chunks.
pub(super) const DONE: &str = "data: [DONE]\n\n";

/// The words for an end.
pub(super) fn finish_reason(reason: FinishReason) -> &'static str {
    match reason {
        FinishReason::Stop => "stop",
        // The server ended it; clients know no word for that.
        FinishReason::Length | FinishReason::Aborted => "length",
        FinishReason::ToolCalls => "tool_calls",
    }
}

pub(super) fn usage(usage: Usage) -> Value {
    json!({
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    })
}
