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

    /// Reads messages in OpenAI's shape.
    ///
    /// ```
    /// use qwill::Message;
    /// use serde_json::json;
    ///
    /// let messages = Message::list(vec![json!({"role": "developer", "content": "Be brief."})])?;
    /// assert_eq!(messages[0].role(), "developer");
    /// let error = Message::list(vec![json!({"role": "robot"})]).unwrap_err();
    /// assert!(error.to_string().starts_with("messages[0].role must be one of"));
    /// # Ok::<(), qwill::Error>(())
    /// ```
    ///
    /// # Errors
    /// If one of them is none, with its place in the list.
    pub fn list(messages: Vec<Value>) -> Result<Vec<Self>, Error> {
        let read = |(index, message): (usize, Value)| {
            let wrong = |what: String| Error::Request(format!("messages[{index}]{what}"));
            match message {
                Value::Object(fields) => Self::read(fields).map_err(|what| wrong(format!(".{what}"))),
                other => Err(wrong(format!(" must be an object with a role and a content, not {other}"))),
            }
        };
        messages.into_iter().enumerate().map(read).collect()
    }

    /// Who says it: `system`, `developer`, `user`, `assistant` or `tool`.
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
    pub(crate) fn to_json(&self) -> Value {
        Value::Object(self.0.clone())
    }
}

impl TryFrom<Map<String, Value>> for Message {
    type Error = Error;

    fn try_from(fields: Map<String, Value>) -> Result<Self, Error> {
        Self::read(fields).map_err(Error::Request)
    }
}

impl Message {
    /// Reads one, or says what is wrong with which of its fields.
    fn read(mut fields: Map<String, Value>) -> Result<Self, String> {
        let role = fields.get("role").unwrap_or(&Value::Null);
        if !role.as_str().is_some_and(|role| ROLES.contains(&role)) {
            return Err(format!("role must be one of {}, not {role}", ROLES.join(", ")));
        }
        match fields.get("content") {
            None | Some(Value::Null) => drop(fields.insert("content".into(), "".into())),
            Some(Value::String(_)) => {}
            Some(Value::Array(parts)) => parts.iter().try_for_each(check_part)?,
            Some(other) => return Err(format!("content must be text or a list of text parts, not {other}")),
        }
        check_calls(&fields)?;
        Ok(Self(fields))
    }
}

fn check_part(part: &Value) -> Result<(), String> {
    match part["type"].as_str() {
        Some(kind @ ("text" | "refusal")) if part[kind].is_string() => Ok(()),
        Some("text") => Err(format!("content has a part whose text is {}, not a text", part["text"])),
        _ => Err(format!("content has a part of type {}; only text is supported", part["type"])),
    }
}

/// What a template would stumble over.
fn check_calls(fields: &Map<String, Value>) -> Result<(), String> {
    let calls = match fields.get("tool_calls") {
        None | Some(Value::Null) => return Ok(()),
        Some(Value::Array(calls)) => calls,
        Some(other) => return Err(format!("tool_calls must be a list of calls, not {other}")),
    };
    for (index, call) in calls.iter().enumerate() {
        let function = call.get("function").unwrap_or(call);
        if !function["name"].is_string() {
            return Err(format!(
                "tool_calls[{index}].function.name must be a text, not {}",
                function["name"]
            ));
        }
        let arguments = &function["arguments"];
        if !(arguments.is_null() || arguments.is_string() || arguments.is_object()) {
            return Err(format!(
                "tool_calls[{index}].function.arguments must be JSON text or an object, not {arguments}"
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: Value) -> Result<Message, String> {
        serde_json::from_value(json).map_err(|error| error.to_string())
    }

    #[test]
    fn messages_are_what_openai_writes() {
        assert_eq!(read(json!({"role": "developer", "content": "x"})).unwrap().role(), "developer");
        assert_eq!(read(json!({"role": "assistant", "content": null})).unwrap(), Message::assistant(""));
        let parts = json!({"role": "user", "content": [{"type": "text", "text": "a"}], "name": "Ann"});
        assert_eq!(read(parts.clone()).unwrap().role(), "user");
        assert_eq!(serde_json::to_value(read(parts.clone()).unwrap()).unwrap(), parts);
        for (message, word) in [
            (json!({"content": "x"}), "role must be one of system"),
            (json!({"role": "robot", "content": "x"}), "\"robot\""),
            (json!({"role": "user", "content": 3}), "content must be text or a list of text parts, not 3"),
            (json!({"role": "user", "content": [{"type": "image_url"}]}), "\"image_url\""),
            (json!({"role": "user", "content": [{"type": "text", "text": 1}]}), "text is 1"),
            (json!({"role": "assistant", "tool_calls": {}}), "tool_calls must be a list"),
            (json!({"role": "assistant", "tool_calls": [{"function": {}}]}), "tool_calls[0].function.name"),
            (
                json!({"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": [1]}}]}),
                "arguments must be JSON text or an object, not [1]",
            ),
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
