//! How Ollama's answers go: lines of JSON or one object, with times, and what becomes of the model behind them.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Json;
use axum::response::{IntoResponse, Response};
use qwill::{ChatReply, FinishReason};
use serde_json::{Value, json};

use crate::app::App;
use crate::failure::Failure;
use crate::fields::{Fields, shown};
use crate::ids::since_epoch;
use crate::stream::{self, Form, Out, json_text};

pub(super) const LINES: Form = Form {
    content_type: "application/x-ndjson",
    ping: None,
    failed: |failure| format!("{}\n", super::failure::body(failure)),
};

/// What a request says of its answer's way.
pub(super) struct Way {
    pub(super) model: Option<String>,
    pub(super) streams: bool,
    keep: Keep,
}

/// How long a model stays behind a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keep {
    /// As the server likes.
    Any,
    /// So long, if nobody else asks for it.
    For(Duration),
}

impl Way {
    pub(super) fn take(fields: &mut Fields) -> Result<Self, Failure> {
        let model = fields.text("model")?.map(plain);
        let streams = fields.take("stream", "true or false")?.unwrap_or(true);
        Ok(Self { model, streams, keep: keep(&fields.any("keep_alive"))? })
    }

    /// Whether the model is to be put away at once.
    pub(super) fn unloads(&self) -> bool {
        self.keep == Keep::For(Duration::ZERO)
    }

    /// The answer in lines.
    pub(super) fn lines<F>(
        self,
        app: &Arc<App>,
        write: impl FnOnce(Arc<Out>) -> F + Send + 'static,
    ) -> Response
    where
        F: Future<Output = Result<(), Failure>> + Send,
    {
        let goes = self.goes_behind(app);
        stream::respond(app, LINES, async move |out| {
            // also where the client goes away
            let _goes = goes;
            write(out).await
        })
    }

    /// The model goes when its time is over, from when this is dropped.
    pub(super) fn goes_behind(self, app: &Arc<App>) -> Goes {
        Goes { way: self, app: app.clone() }
    }

    fn let_go(&self, app: &App) {
        let (Keep::For(time), Ok(slot)) = (self.keep, app.registry.find(self.model.as_deref())) else {
            return;
        };
        let slot = slot.clone();
        tokio::spawn(async move {
            let since = Instant::now();
            tokio::time::sleep(time).await;
            // Who asked for it since then has a say of his own.
            if slot.idle_since().is_some_and(|used| used <= since) || time.is_zero() {
                slot.put_away().await;
            }
        });
    }
}

/// Lets the model of a request go when the request is over, however it ended.
pub(super) struct Goes {
    way: Way,
    app: Arc<App>,
}

impl Drop for Goes {
    fn drop(&mut self) {
        self.way.let_go(&self.app);
    }
}

/// A whole answer, whose `line` says what the reply is.
pub(super) fn whole(mut line: Value, reply: &ChatReply, since: Instant) -> Response {
    if let Some(logprobs) = &reply.logprobs {
        line["logprobs"] = json!(logprobs.content);
    }
    finish(&mut line, reply, since);
    Json(line).into_response()
}

/// A name without the tag that means none.
pub(super) fn plain(name: String) -> String {
    name.strip_suffix(":latest").map(str::to_owned).unwrap_or(name)
}

/// Seconds, or a number with a unit; negative ones mean forever.
fn keep(value: &Value) -> Result<Keep, Failure> {
    let wrong = || {
        let message =
            format!("keep_alive must be a number of seconds or a time such as \"5m\", not {}", shown(value));
        Failure::invalid(message)
    };
    let seconds = match value {
        Value::Null => return Ok(Keep::Any),
        Value::Number(seconds) => seconds.as_f64().ok_or_else(wrong)?,
        Value::String(text) => {
            let unit = text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.' || c == '-');
            let number: f64 = text[..text.len() - unit.len()].parse().map_err(|_| wrong())?;
            let seconds = match unit {
                "" | "s" => 1.0,
                "ms" => 1e-3,
                "m" => 60.0,
                "h" => 3600.0,
                _ => return Err(wrong()),
            };
            number * seconds
        }
        _ => return Err(wrong()),
    };
    if seconds < 0.0 {
        return Ok(Keep::Any);
    }
    Duration::try_from_secs_f64(seconds).map(Keep::For).map_err(|_| wrong())
}

/// Now, as clients read it.
pub(super) fn timestamp() -> String {
    humantime::format_rfc3339_nanos(std::time::UNIX_EPOCH + since_epoch()).to_string()
}

/// Why a reply ended.
pub(super) fn done_reason(reason: FinishReason) -> &'static str {
    match reason {
        FinishReason::Stop | FinishReason::ToolCalls => "stop",
        FinishReason::Length | FinishReason::Aborted => "length",
    }
}

/// Adds what the last line of an answer says.
pub(super) fn finish(line: &mut Value, reply: &ChatReply, since: Instant) {
    let ns = |ms: f64| (ms * 1e6) as u64;
    let timings = &reply.timings;
    let times = json!({
        "done": true,
        "done_reason": done_reason(reply.finish_reason),
        "total_duration": since.elapsed().as_nanos() as u64,
        "load_duration": ns(timings.load_ms),
        "prompt_eval_count": reply.usage.prompt_tokens,
        "prompt_eval_duration": ns(timings.prefill_ms),
        "eval_count": reply.usage.completion_tokens,
        "eval_duration": ns(timings.decode_ms),
    });
    add(line, times);
}

/// The answer to who only wants a model loaded or put away.
pub(super) fn nothing_asked(mut line: Value, reason: &str) -> Value {
    add(&mut line, json!({"done": true, "done_reason": reason}));
    line
}

fn add(line: &mut Value, more: Value) {
    if let (Some(line), Value::Object(more)) = (line.as_object_mut(), more) {
        line.extend(more);
    }
}

/// Writes a line.
pub(super) async fn put(out: &Out, line: &Value) -> Result<(), Failure> {
    out.put(json_text(line)? + "\n").await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_to_keep_a_model() {
        for (value, wanted) in [
            (json!(null), Some(Keep::Any)),
            (json!(-1), Some(Keep::Any)),
            (json!("-1m"), Some(Keep::Any)),
            (json!(0), Some(Keep::For(Duration::ZERO))),
            (json!("5m"), Some(Keep::For(Duration::from_secs(300)))),
            (json!("1.5h"), Some(Keep::For(Duration::from_secs(5400)))),
            (json!("250ms"), Some(Keep::For(Duration::from_millis(250)))),
            (json!("soon"), None),
            (json!("5 years"), None),
            (json!(true), None),
        ] {
            assert_eq!(keep(&value).ok(), wanted, "{value}");
        }
    }
}
