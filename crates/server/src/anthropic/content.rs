//! Messages and their blocks, in OpenAI's shape as qwill reads them.

use serde_json::{Value, json};

use crate::failure::Failure;
use crate::fields::{Fields, shown};

/// The messages of a request, with the system's before them.
pub(super) fn messages(system: Value, messages: Value) -> Result<Vec<Value>, Failure> {
    let mut all = Vec::new();
    let system = texts("system", system)?;
    if !system.is_empty() {
        all.push(json!({"role": "system", "content": system}));
    }
    let Value::Array(messages) = messages else {
        return Err(Failure::invalid(format!("messages must be a list, not {}", shown(&messages))));
    };
    for (index, message) in messages.into_iter().enumerate() {
        let mut fields = Fields::at(format!("messages[{index}]"), message)?;
        let role: String = fields.need("role", "\"user\" or \"assistant\"")?;
        let content = fields.any("content");
        let path = fields.path_of("content");
        fields.end()?;
        match role.as_str() {
            "user" => all.extend(of_user(&path, content)?),
            "assistant" => all.push(of_assistant(&path, content)?),
            // in the middle of a conversation, where a program has something to say
            "system" => all.push(json!({"role": "system", "content": texts(&path, content)?})),
            other => {
                let message =
                    format!("messages[{index}].role must be \"user\" or \"assistant\", not \"{other}\"");
                return Err(Failure::invalid(message));
            }
        }
    }
    match all.last() {
        Some(last) if last["role"] == "assistant" => Err(Failure::invalid(
            "the last message is the assistant's, which this server cannot continue; it must be the user's",
        )),
        _ => Ok(all),
    }
}

/// Blocks of a message; a text is one.
fn blocks(path: &str, content: Value) -> Result<Vec<(String, Fields)>, Failure> {
    let blocks = match content {
        Value::String(text) => vec![json!({"type": "text", "text": text})],
        Value::Array(blocks) => blocks,
        other => {
            return Err(Failure::invalid(format!(
                "{path} must be a text or a list of blocks, not {}",
                shown(&other)
            )));
        }
    };
    let read = |(index, block)| {
        let mut fields = Fields::at(format!("{path}[{index}]"), block)?;
        fields.ignore(&["cache_control", "citations"]);
        Ok((fields.need::<String>("type", "the kind of a block")?, fields))
    };
    blocks.into_iter().enumerate().map(read).collect()
}

/// The texts of a content that may hold nothing else.
fn texts(path: &str, content: Value) -> Result<String, Failure> {
    if content.is_null() {
        return Ok(String::new());
    }
    let mut texts = Vec::new();
    for (kind, fields) in blocks(path, content)? {
        texts.push(text(&kind, fields)?);
    }
    Ok(texts.join("\n"))
}

fn text(kind: &str, mut fields: Fields) -> Result<String, Failure> {
    if kind != "text" {
        let path = fields.path_of("type");
        return Err(Failure::invalid(format!(
            "{path} is \"{kind}\", which this server cannot read; it reads \"text\""
        )));
    }
    let text = fields.need("text", "a text")?;
    fields.end()?;
    Ok(text)
}

/// What tools answered, and behind it what the user said.
fn of_user(path: &str, content: Value) -> Result<Vec<Value>, Failure> {
    let (mut results, mut said) = (Vec::new(), Vec::new());
    for (kind, mut fields) in blocks(path, content)? {
        if kind != "tool_result" {
            said.push(json!({"type": "text", "text": text(&kind, fields)?}));
            continue;
        }
        let id: String = fields.need("tool_use_id", "the id of a call")?;
        let failed = fields.flag("is_error")?;
        let path = fields.path_of("content");
        let answer = texts(&path, fields.any("content"))?;
        fields.end()?;
        let answer = if failed { format!("Error: {answer}") } else { answer };
        results.push(json!({"role": "tool", "tool_call_id": id, "content": answer}));
    }
    if !said.is_empty() || results.is_empty() {
        results.push(json!({"role": "user", "content": said}));
    }
    Ok(results)
}

fn of_assistant(path: &str, content: Value) -> Result<Value, Failure> {
    let (mut said, mut thoughts, mut calls) = (String::new(), String::new(), Vec::new());
    for (kind, mut fields) in blocks(path, content)? {
        match kind.as_str() {
            "thinking" => {
                thoughts += &fields.need::<String>("thinking", "a text")?;
                // It proves to Anthropic's servers that the thoughts are theirs.
                fields.ignore(&["signature"]);
                fields.end()?;
            }
            "redacted_thinking" => {}
            "tool_use" => {
                let id: String = fields.need("id", "the id of a call")?;
                let name: String = fields.need("name", "a tool's name")?;
                let input: serde_json::Map<String, Value> = fields.need("input", "an object")?;
                fields.ignore(&["caller"]);
                fields.end()?;
                let function = json!({"name": name, "arguments": Value::Object(input).to_string()});
                calls.push(json!({"id": id, "type": "function", "function": function}));
            }
            _ => said += &text(&kind, fields)?,
        }
    }
    let mut message = json!({"role": "assistant", "content": said});
    if !thoughts.is_empty() {
        message["reasoning_content"] = thoughts.into();
    }
    if !calls.is_empty() {
        message["tool_calls"] = calls.into();
    }
    Ok(message)
}
