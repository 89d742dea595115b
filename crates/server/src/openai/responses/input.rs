//! Items of a conversation, as the messages of a chat.

use serde_json::{Value, json};

use crate::failure::Failure;
use crate::fields::{Fields, shown};

/// The messages of a request.
pub(super) fn messages(instructions: Option<String>, input: Value) -> Result<Vec<Value>, Failure> {
    let mut messages = Messages::default();
    if let Some(text) = instructions {
        messages.all.push(json!({"role": "system", "content": text}));
    }
    match input {
        Value::String(text) => messages.all.push(json!({"role": "user", "content": text})),
        Value::Array(items) => {
            for (index, item) in items.into_iter().enumerate() {
                messages.take(Fields::at(format!("input[{index}]"), item)?)?;
            }
        }
        other => {
            return Err(Failure::invalid(format!(
                "input must be a text or a list of items, not {}",
                shown(&other)
            )));
        }
    }
    Ok(messages.all)
}

#[derive(Default)]
struct Messages {
    all: Vec<Value>,
    /// Thoughts that belong to what the assistant says next.
    thoughts: String,
}

impl Messages {
    fn take(&mut self, mut fields: Fields) -> Result<(), Failure> {
        let kind = fields.text("type")?.unwrap_or_else(|| "message".into());
        // What others' servers have called and finished.
        fields.ignore(&["id", "status", "phase"]);
        match kind.as_str() {
            "message" => self.message(&mut fields)?,
            "reasoning" => self.reasoning(&mut fields)?,
            "function_call" => {
                let id: String = fields.need("call_id", "the id of a call")?;
                let name: String = fields.need("name", "a function's name")?;
                let arguments: String = fields.need("arguments", "JSON text")?;
                fields.ignore(&["namespace"]);
                let call =
                    json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}});
                let message = self.assistant();
                match message["tool_calls"].as_array_mut() {
                    Some(calls) => calls.push(call),
                    None => message["tool_calls"] = json!([call]),
                }
            }
            "function_call_output" => {
                let id: String = fields.need("call_id", "the id of a call")?;
                let path = fields.path_of("output");
                let output = text(&path, fields.any("output"))?;
                self.all.push(json!({"role": "tool", "tool_call_id": id, "content": output}));
            }
            other => {
                let path = fields.path_of("type");
                return Err(Failure::invalid(format!("{path} is \"{other}\", which this server cannot do")));
            }
        }
        fields.end()
    }

    fn message(&mut self, fields: &mut Fields) -> Result<(), Failure> {
        let role: String = fields.need("role", "\"user\", \"assistant\", \"system\" or \"developer\"")?;
        let path = fields.path_of("content");
        let content = text(&path, fields.any("content"))?;
        if role != "assistant" {
            self.all.push(json!({"role": role, "content": content}));
            return Ok(());
        }
        let message = self.assistant();
        let before = message["content"].as_str().unwrap_or_default().to_owned();
        message["content"] = (before + &content).into();
        Ok(())
    }

    fn reasoning(&mut self, fields: &mut Fields) -> Result<(), Failure> {
        // Only OpenAI can read it, and a summary is none of the model's words.
        fields.ignore(&["encrypted_content", "summary"]);
        let parts: Vec<Value> = fields.take("content", "a list of texts")?.unwrap_or_default();
        self.thoughts.extend(parts.iter().filter_map(|part| part["text"].as_str()));
        Ok(())
    }

    /// What the assistant says at this place.
    fn assistant(&mut self) -> &mut Value {
        if self.all.last().is_none_or(|message| message["role"] != "assistant") {
            self.all.push(json!({"role": "assistant", "content": ""}));
        }
        let last = self.all.len() - 1;
        let message = &mut self.all[last];
        if !self.thoughts.is_empty() {
            message["reasoning_content"] = std::mem::take(&mut self.thoughts).into();
        }
        message
    }
}

/// The text of a content.
fn text(path: &str, content: Value) -> Result<String, Failure> {
    let parts = match content {
        Value::String(text) => return Ok(text),
        Value::Array(parts) => parts,
        other => {
            return Err(Failure::invalid(format!(
                "{path} must be a text or a list of parts, not {}",
                shown(&other)
            )));
        }
    };
    let mut all = String::new();
    for (index, part) in parts.into_iter().enumerate() {
        let mut fields = Fields::at(format!("{path}[{index}]"), part)?;
        let kind: String = fields.need("type", "the kind of a part")?;
        let name = match kind.as_str() {
            "input_text" | "output_text" | "text" => "text",
            "refusal" => "refusal",
            other => {
                let path = fields.path_of("type");
                return Err(Failure::invalid(format!("{path} is \"{other}\", but only text is supported")));
            }
        };
        all += &fields.need::<String>(name, "a text")?;
        fields.ignore(&["annotations", "logprobs", "prompt_cache_breakpoint"]);
        fields.end()?;
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_of_one_turn_are_one_message() {
        let items = json!([
            {"role": "user", "content": [{"type": "input_text", "text": "Oslo?"}]},
            {"type": "reasoning", "id": "rs_1", "summary": [], "content": [{"type": "reasoning_text", "text": "hm"}]},
            {"type": "message", "id": "msg_1", "status": "completed", "role": "assistant",
             "content": [{"type": "output_text", "text": "Well.", "annotations": []}]},
            {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
            {"type": "function_call", "call_id": "c2", "name": "f", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c1", "output": "Rain."},
        ]);
        let call =
            |id: &str| json!({"id": id, "type": "function", "function": {"name": "f", "arguments": "{}"}});
        let wanted = json!([
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Oslo?"},
            {"role": "assistant", "content": "Well.", "reasoning_content": "hm", "tool_calls": [call("c1"), call("c2")]},
            {"role": "tool", "tool_call_id": "c1", "content": "Rain."},
        ]);
        assert_eq!(json!(messages(Some("Be brief.".into()), items).unwrap()), wanted);
        for (input, words) in [
            (json!(7), "input must be a text or a list of items, not 7"),
            (json!([{"type": "item_reference", "id": "x"}]), "input[0].type is \"item_reference\""),
            (
                json!([{"role": "user", "content": [{"type": "input_image"}]}]),
                "input[0].content[0].type is \"input_image\"",
            ),
        ] {
            assert!(messages(None, input).unwrap_err().message.contains(words), "{words}");
        }
    }
}
