//! Requests, field by field.

use qwill::{ChatRequest, NamedSchema, ResponseFormat, SamplingOptions};
use serde_json::{Map, Value, json};

use super::{content, tools};
use crate::failure::Failure;
use crate::fields::Fields;

/// A request, and what it says of its answer's way.
pub(super) struct Asked {
    pub(super) model: Option<String>,
    pub(super) streams: bool,
    pub(super) request: ChatRequest,
}

/// Whether replies have a length that must be said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Length {
    Needed,
    /// For who only counts.
    Unneeded,
}

/// Fields that say who asks, at which price, and what may be kept.
const HINTS: [&str; 8] = [
    "metadata",
    "service_tier",
    "cache_control",
    "inference_geo",
    "betas",
    "diagnostics",
    "user_profile_id",
    "workspace_id",
];

impl Asked {
    pub(super) fn read(fields: Map<String, Value>, length: Length) -> Result<Self, Failure> {
        let mut fields = Fields::of(fields);
        fields.ignore(&HINTS);
        let model = fields.text("model")?;
        let streams = fields.flag("stream")?;
        let max_tokens = match length {
            Length::Needed => Some(fields.need("max_tokens", "a whole number from 1 on")?),
            Length::Unneeded => fields.count("max_tokens")?,
        };
        if max_tokens == Some(0) {
            return Err(Failure::invalid("max_tokens is 0, but must be at least 1"));
        }
        let messages = content::messages(fields.any("system"), fields.any("messages"))?;
        let tools = tools::tools(fields.any("tools"))?;
        let (tool_choice, parallel_tool_calls) = tools::choice(fields.object("tool_choice")?)?;
        let (enable_thinking, thinking_budget) = thinking(fields.object("thinking")?, max_tokens)?;
        let format = output(fields.object("output_config")?)?;
        let older = fields.any("output_format");
        let sampling = SamplingOptions {
            temperature: fields.number("temperature")?,
            top_p: fields.number("top_p")?,
            top_k: fields.take("top_k", "a whole number from 0 on")?,
            ..SamplingOptions::default()
        };
        let stop = fields.texts("stop_sequences")?;
        fields.only("speed", &[json!("standard")])?;
        fields.only("container", &[])?;
        fields.only("context_management", &[json!({"edits": []}), json!({})])?;
        fields.only("mcp_servers", &[json!([])])?;
        fields.end()?;
        let request = ChatRequest {
            messages: qwill::Message::list(messages)?,
            tools,
            tool_choice,
            parallel_tool_calls,
            response_format: format.or(read_format("output_format", older)?),
            sampling,
            max_tokens,
            stop,
            enable_thinking: Some(enable_thinking),
            thinking_budget,
            ..ChatRequest::default()
        };
        Ok(Self { model, streams, request })
    }
}

/// Whether to think, and how much. Who says nothing wants no thoughts, as from Anthropic's models.
fn thinking(fields: Option<Fields>, max_tokens: Option<usize>) -> Result<(bool, Option<usize>), Failure> {
    let Some(mut fields) = fields else { return Ok((false, None)) };
    let kind: String = fields.need("type", "\"enabled\", \"adaptive\" or \"disabled\"")?;
    // Thoughts are always told as they are.
    fields.only("display", &[json!("summarized")])?;
    let said = match kind.as_str() {
        "disabled" => (false, None),
        "adaptive" => (true, None),
        "enabled" => {
            let budget: usize = fields.need("budget_tokens", "a whole number from 1 on")?;
            if max_tokens.is_some_and(|most| budget >= most) {
                return Err(Failure::invalid(format!(
                    "thinking.budget_tokens is {budget}, but must be less than max_tokens"
                )));
            }
            (true, Some(budget))
        }
        other => {
            return Err(Failure::invalid(format!(
                "thinking.type must be \"enabled\", \"adaptive\" or \"disabled\", not \"{other}\""
            )));
        }
    };
    fields.end()?;
    Ok(said)
}

/// The form of the reply.
fn output(fields: Option<Fields>) -> Result<Option<ResponseFormat>, Failure> {
    let Some(mut fields) = fields else { return Ok(None) };
    // A wish: how much is thought, "thinking" says.
    fields.ignore(&["effort"]);
    let format = read_format("output_config.format", fields.any("format"))?;
    fields.end()?;
    Ok(format)
}

fn read_format(path: &str, value: Value) -> Result<Option<ResponseFormat>, Failure> {
    if value.is_null() {
        return Ok(None);
    }
    let mut fields = Fields::at(path, value)?;
    fields.only("type", &[json!("json_schema")])?;
    let name = fields.text("name")?.unwrap_or_else(|| "reply".into());
    let schema = fields.need("schema", "a JSON schema")?;
    fields.end()?;
    Ok(Some(ResponseFormat::JsonSchema(NamedSchema { name, description: None, schema, strict: None })))
}
