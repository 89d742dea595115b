//! Making a reply.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use qwill::{ChatEvent, ChatReply, ChatRequest, Control, FinishReason, Model};

use super::Reporter;
use crate::conversation::Outcome;
use crate::state::Report;

/// Makes a reply and tells of it, until it is stopped.
pub(super) fn reply(
    model: Option<Model>,
    id: u64,
    request: &ChatRequest,
    stop: &AtomicBool,
    reporter: &Reporter,
) {
    let Some(model) = model else {
        return reporter.tell(Report::ReplyFailed { id, reason: "There is no model to ask.".into() });
    };
    let (mut n_tokens, mut first) = (0, None);
    let made = model.chat_with(request, |event| {
        match event {
            ChatEvent::Progress { n_read, n_tokens } => reporter.tell(Report::Read { id, n_read, n_tokens }),
            ChatEvent::Reasoning { text } => reporter.tell(Report::Thought { id, text }),
            ChatEvent::Content { text } => reporter.tell(Report::Text { id, text }),
            ChatEvent::ToolCallDelta(_) | ChatEvent::Prompt { .. } => {}
            ChatEvent::ToolCall(call) => {
                let text = format!("\n```json\n{} {}\n```\n", call.name, call.arguments);
                reporter.tell(Report::Text { id, text });
            }
            ChatEvent::Token { .. } => {
                n_tokens += 1;
                let seconds = first.get_or_insert_with(Instant::now).elapsed().as_secs_f64();
                if n_tokens > 1 && seconds > 0.0 {
                    let tokens_per_second = f64::from(n_tokens - 1) / seconds;
                    reporter.tell(Report::Speed { id, tokens_per_second });
                }
            }
        }
        if stop.load(Ordering::Relaxed) { Control::Stop } else { Control::Continue }
    });
    reporter.tell(match pollster::block_on(made) {
        Ok(reply) => Report::Done { id, outcome: outcome(&reply) },
        Err(error) => Report::ReplyFailed { id, reason: error.to_string() },
    });
}

fn outcome(reply: &ChatReply) -> Outcome {
    Outcome {
        n_tokens: reply.usage.completion_tokens,
        tokens_per_second: reply.timings.decode_tps,
        n_read: reply.usage.prompt_tokens - reply.usage.cached_tokens,
        first_ms: reply.timings.prefill_ms,
        cut_off: match reply.finish_reason {
            FinishReason::Stop | FinishReason::ToolCalls => None,
            FinishReason::Length => Some("the context is full".into()),
            FinishReason::Aborted => Some("stopped".into()),
        },
    }
}
