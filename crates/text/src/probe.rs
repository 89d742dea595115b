//! What a template does with a conversation, found by trying.

use serde_json::{Value, json};

use crate::{ChatInput, ChatTemplate};

const NEEDLE: &str = "qwill-needle";

impl ChatTemplate {
    /// Whether the template prints the texts of a content that comes in parts.
    #[must_use]
    pub fn reads_parts(&self) -> bool {
        self.reads_parts_of("user")
    }

    /// The same of the messages of one role.
    pub(crate) fn reads_parts_of(&self, role: &str) -> bool {
        let content = json!([{"type": "text", "text": NEEDLE}]);
        // A template that knows no parts prints the list as Python or JSON would, or leaves it out.
        self.tried(role, &content).is_some_and(|text| {
            text.contains(NEEDLE)
                && !text.contains(&format!("'{NEEDLE}'"))
                && !text.contains(&format!("\"{NEEDLE}\""))
        })
    }

    /// Whether the template prints all of these system messages, wherever they stand in the conversation.
    pub(crate) fn prints_all(&self, chat: &ChatInput, systems: &[usize]) -> bool {
        let mut probe = chat.clone();
        for &index in systems {
            probe.messages[index]["content"] = json!(format!("{NEEDLE}-{index}-"));
        }
        self.render(&probe).is_ok_and(|text| {
            systems.iter().all(|index| text.matches(&format!("{NEEDLE}-{index}-")).count() == 1)
        })
    }

    /// A small conversation with one message of a role.
    fn tried(&self, role: &str, content: &Value) -> Option<String> {
        let message = json!({"role": role, "content": content});
        let question = json!({"role": "user", "content": "?"});
        let call = json!({"id": "1", "type": "function", "function": {"name": "f", "arguments": {}}});
        let messages = match role {
            "user" => vec![message],
            "system" => vec![message, question],
            "assistant" => vec![question, message],
            _ => {
                vec![question, json!({"role": "assistant", "content": "", "tool_calls": [call]}), message]
            }
        };
        self.render(&ChatInput { messages, ..ChatInput::default() }).ok()
    }
}
