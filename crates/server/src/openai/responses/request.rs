//! Requests, field by field, as those of a chat.

use qwill::ChatRequest;
use serde_json::{Map, Value, json};

use super::input::messages;
use crate::failure::Failure;
use crate::fields::{Fields, shown};

/// Who asks, for whom and at which price; what may be kept; wishes about what is told besides.
const HINTS: [&str; 9] = [
    "include",
    "metadata",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "safety_identifier",
    "service_tier",
    "store",
    "user",
];
/// What an answer repeats of its request.
const TOLD: [&str; 11] = [
    "instructions",
    "max_output_tokens",
    "metadata",
    "parallel_tool_calls",
    "reasoning",
    "store",
    "temperature",
    "text",
    "tool_choice",
    "tools",
    "top_p",
];

/// A request, and what it says of its answer.
pub(super) struct Asked {
    pub(super) model: Option<String>,
    pub(super) streams: bool,
    pub(super) request: ChatRequest,
    /// What the answer repeats.
    pub(super) told: Map<String, Value>,
}

impl Asked {
    pub(super) fn read(fields: Map<String, Value>) -> Result<Self, Failure> {
        let told =
            TOLD.iter().filter_map(|name| Some(((*name).to_owned(), fields.get(*name)?.clone()))).collect();
        let mut fields = Fields::of(fields);
        fields.ignore(&HINTS);
        let model = fields.text("model")?;
        let streams = fields.flag("stream")?;
        fields.ignore(&["stream_options"]);
        let mut chat = Map::new();
        let instructions = fields.text("instructions")?;
        chat.insert("messages".into(), messages(instructions, fields.any("input"))?.into());
        chat.insert("tools".into(), tools(fields.any("tools"))?);
        chat.insert("response_format".into(), format(fields.object("text")?)?);
        chat.insert("reasoning_effort".into(), effort(fields.object("reasoning")?)?);
        for (name, of_chat) in [
            ("tool_choice", "tool_choice"),
            ("parallel_tool_calls", "parallel_tool_calls"),
            ("max_output_tokens", "max_completion_tokens"),
            ("temperature", "temperature"),
            ("top_p", "top_p"),
            // the same wish under qwill's own name
            ("enable_thinking", "enable_thinking"),
        ] {
            chat.insert(of_chat.into(), fields.any(name));
        }
        // Conversations are the client's to keep.
        fields.only("previous_response_id", &[])?;
        fields.only("conversation", &[])?;
        fields.only("prompt", &[])?;
        fields.only("background", &[json!(false)])?;
        fields.only("truncation", &[json!("disabled")])?;
        fields.only("top_logprobs", &[json!(0)])?;
        fields.only("max_tool_calls", &[])?;
        fields.only("context_management", &[])?;
        fields.only("moderation", &[])?;
        fields.end()?;
        Ok(Self { model, streams, request: ChatRequest::try_from(chat)?, told })
    }
}

/// Functions, one level deeper.
fn tools(tools: Value) -> Result<Value, Failure> {
    let tools = match tools {
        Value::Null => return Ok(Value::Null),
        Value::Array(tools) => tools,
        other => return Err(Failure::invalid(format!("tools must be a list, not {}", shown(&other)))),
    };
    let read = |(index, tool)| {
        let mut fields = Fields::at(format!("tools[{index}]"), tool)?;
        let kind: String = fields.need("type", "\"function\"")?;
        if kind != "function" {
            let message =
                format!("tools[{index}].type is \"{kind}\", but this server has no tools of its own");
            return Err(Failure::invalid(message));
        }
        fields.need::<String>("name", "a text").map(|name| (name, fields.rest()))
    };
    let mut functions = Vec::new();
    for tool in tools.into_iter().enumerate() {
        let (name, mut function) = read(tool)?;
        function.insert("name".into(), name.into());
        // Only the model's own calls are served, and their answers are texts.
        for hint in ["allowed_callers", "defer_loading", "output_schema"] {
            function.remove(hint);
        }
        if function.get("strict").is_none_or(Value::is_null) {
            function.remove("strict");
        }
        functions.push(json!({"type": "function", "function": function}));
    }
    Ok(functions.into())
}

/// The form of the text.
fn format(text: Option<Fields>) -> Result<Value, Failure> {
    let Some(mut text) = text else { return Ok(Value::Null) };
    text.only("verbosity", &[json!("medium")])?;
    let format = text.object("format")?;
    text.end()?;
    let Some(mut format) = format else { return Ok(Value::Null) };
    let kind: String = format.need("type", "\"text\", \"json_object\" or \"json_schema\"")?;
    let rest = format.rest();
    Ok(match kind.as_str() {
        "json_schema" => json!({"type": kind, "json_schema": rest}),
        _ => json!({"type": kind}),
    })
}

fn effort(reasoning: Option<Fields>) -> Result<Value, Failure> {
    let Some(mut reasoning) = reasoning else { return Ok(Value::Null) };
    // Thoughts are told as they are, which no summary is better than.
    reasoning.ignore(&["summary", "generate_summary"]);
    let effort = reasoning.any("effort");
    reasoning.end()?;
    Ok(effort)
}
