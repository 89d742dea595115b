//! Messages of a conversation, in OpenAI's shape.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::ToolCall;
use crate::Error;

const ROLES: [&str; 6] = ["system", "developer", "user", "assistant", "tool", "function"];

/// A message of a conversation. As JSON it has OpenAI's shape; what is read from JSON is checked, and keeps whatever else
/// it says for the model's own template.
///
/// ```
/// use qwill::Message;
///
/// let message: Message = serde_json::from_str(r#"{"role": "user", "content": "Hi"}"#)?;
/// assert_eq!(message, Message::user("Hi"));
/// let picture = serde_json::from_str::<Message>(r#"{"role": "user", "content": [{"type": "image_url"}]}"#);
/// assert!(picture.unwrap_err().to_string().contains("image_url"));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Map<String, Value>")]
pub struct Message(Map<String, Value>);

impl Message {
    /// What the model should know before the conversation.
    pub fn system(text: impl Into<String>) -> Self {
        Self::new("system", text)
    }

    /// What a person says.
    pub fn user(text: impl Into<String>) -> Self {
        Self::new("user", text)
    }

    /// What the model has said. [`ChatReply::message`](crate::ChatReply::message) has its calls of tools too.
    pub fn assistant(text: impl Into<String>) -> Self {
        Self::new("assistant", text)
    }

    /// What a tool that the model called has answered. Several answers stand in the order of the calls.
    pub fn tool(result: impl Into<String>) -> Self {
        Self::new("tool", result)
    }

    fn new(role: &str, text: impl Into<String>) -> Self {
        let mut fields = Map::new();
        fields.insert("role".into(), role.into());
        fields.insert("content".into(), text.into().into());
        Self(fields)
    }

    /// Who says it: `system`, `user`, `assistant` or `tool`.
    pub fn role(&self) -> &str {
        self.0.get("role").and_then(Value::as_str).unwrap_or_default()
    }

    /// The same with thoughts that came before the text.
    pub(super) fn with_reasoning(mut self, reasoning: &str) -> Self {
        if !reasoning.is_empty() {
            self.0.insert("reasoning_content".into(), reasoning.into());
        }
        self
    }

    /// The same with calls of tools behind the text.
    pub(super) fn with_tool_calls(mut self, calls: &[ToolCall]) -> Self {
        let calls = calls.iter().enumerate().map(|(index, ToolCall { name, arguments })| {
            let function = json!({"name": name, "arguments": arguments});
            json!({"id": format!("call_{index}"), "type": "function", "function": function})
        });
        let calls: Vec<Value> = calls.collect();
        if !calls.is_empty() {
            self.0.insert("tool_calls".into(), calls.into());
        }
        self
    }

    /// What templates read.
    pub(super) fn to_json(&self) -> Value {
        Value::Object(self.0.clone())
    }
}

impl TryFrom<Map<String, Value>> for Message {
    type Error = Error;

    fn try_from(mut fields: Map<String, Value>) -> Result<Self, Error> {
        let role = fields.get("role").unwrap_or(&Value::Null);
        if !role.as_str().is_some_and(|role| ROLES.contains(&role)) {
            return Err(Error::Request(format!("role must be one of {}, not {role}", ROLES.join(", "))));
        }
        if role == "developer" {
            fields.insert("role".into(), "system".into());
        }
        match fields.get("content") {
            None | Some(Value::Null) => drop(fields.insert("content".into(), "".into())),
            Some(Value::String(_)) => {}
            Some(Value::Array(parts)) => parts.iter().try_for_each(check_part)?,
            Some(_) => {
                return Err(Error::Request("content must be a text or a list of text parts".into()));
            }
        }
        Ok(Self(fields))
    }
}

fn check_part(part: &Value) -> Result<(), Error> {
    if part["type"] == "text" && part["text"].is_string() {
        return Ok(());
    }
    Err(Error::Request(format!("content has a part of type {}; only text is supported", part["type"])))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: Value) -> Result<Message, String> {
        serde_json::from_value(json).map_err(|error| error.to_string())
    }

    #[test]
    fn messages_are_what_openai_writes() {
        assert_eq!(read(json!({"role": "developer", "content": "x"})).unwrap(), Message::system("x"));
        assert_eq!(read(json!({"role": "assistant", "content": null})).unwrap(), Message::assistant(""));
        let parts = json!({"role": "user", "content": [{"type": "text", "text": "a"}], "name": "Ann"});
        assert_eq!(read(parts.clone()).unwrap().role(), "user");
        assert_eq!(serde_json::to_value(read(parts.clone()).unwrap()).unwrap(), parts);
        for (message, word) in [
            (json!({"content": "x"}), "role must be one of system"),
            (json!({"role": "robot", "content": "x"}), "\"robot\""),
            (json!({"role": "user", "content": 3}), "content must be a text"),
            (json!({"role": "user", "content": [{"type": "image_url"}]}), "\"image_url\""),
            (json!({"role": "user", "content": [{"type": "text", "text": 1}]}), "only text"),
            (json!("x"), "expected a map"),
        ] {
            let error = read(message).unwrap_err();
            assert!(error.contains(word), "\"{word}\" is not in: {error}");
        }
    }

    #[test]
    fn calls_have_openais_shape() {
        let call = ToolCall { name: "f".into(), arguments: "{}".into() };
        let message = Message::assistant("").with_reasoning("hm").with_tool_calls(&[call]).to_json();
        assert_eq!(message["reasoning_content"], "hm");
        let function = json!({"name": "f", "arguments": "{}"});
        assert_eq!(
            message["tool_calls"],
            json!([{"id": "call_0", "type": "function", "function": function}])
        );
        assert_eq!(Message::assistant("x").with_reasoning("").with_tool_calls(&[]), Message::assistant("x"));
    }
}
