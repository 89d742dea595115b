//! Replies and what they mean, see `crates/text/tests/data/replies`.

use serde_json::{Value, json};

use crate::scripted::{PromptEnd, Script, TagKind, scripted_gguf};

/// A reply, and what a client should see of it.
#[derive(Clone, Debug)]
pub struct ReplyCase(Value);

impl ReplyCase {
    /// All of them.
    pub fn all() -> Vec<Self> {
        let files = [
            include_str!("../../text/tests/data/replies/reported.json"),
            include_str!("../../text/tests/data/replies/kinds.json"),
        ];
        let cases = files.map(|file| serde_json::from_str::<Vec<Value>>(file).expect("cases are JSON"));
        cases.into_iter().flatten().map(Self).collect()
    }

    /// One or two of each kind, for tests that load a model for each.
    pub fn of_each_kind() -> Vec<Self> {
        const NAMES: [&str; 15] = [
            "parameters alias",
            "two functions one block",
            "a list of calls",
            "bare function orphan close",
            "bare function undeclared stays text",
            "tool call in open think",
            "draft call in think not real",
            "oneof string null",
            "anyof int null",
            "raw newline in json",
            "Python's literals",
            "trailing comma",
            "empty arguments 0",
            "text between calls",
            "a declared call that breaks off",
        ];
        let cases = Self::all();
        let find = |name: &str| cases.iter().find(|case| case.name() == name).cloned();
        NAMES.iter().map(|name| find(name).expect("the case is there")).collect()
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.text("name").unwrap_or_default()
    }

    fn text(&self, key: &str) -> Option<&str> {
        self.0[key].as_str()
    }

    /// As it is written in its file.
    pub fn json(&self) -> &Value {
        &self.0
    }

    /// The tools on offer, in OpenAI's shape.
    pub fn tools(&self) -> Vec<Value> {
        let declare = |(name, properties): (&String, &Value)| {
            let parameters = json!({"type": "object", "properties": properties});
            json!({"type": "function", "function": {"name": name, "parameters": parameters}})
        };
        self.0["tools"].as_object().into_iter().flatten().map(declare).collect()
    }

    /// A model that replies so.
    pub fn model(&self, tags: TagKind) -> Vec<u8> {
        let starts_thinking = self.text("starts") == Some("thinking");
        let prompt_end = if starts_thinking { PromptEnd::Thoughts } else { PromptEnd::Reply };
        scripted_gguf(&Script { reply: self.text("reply").unwrap_or_default(), piece: 3, tags, prompt_end })
    }

    /// What is wrong about a reply, if anything is: its text, its thoughts, and its calls as `[[name, arguments], …]`.
    pub fn difference(&self, text: &str, reasoning: &str, calls: &Value) -> Option<String> {
        let wanted = self.text("reasoning").unwrap_or(reasoning);
        let is_right = text == self.0["content"] && reasoning == wanted && *calls == self.0["calls"];
        (!is_right)
            .then(|| format!("{}: {text:?}, {reasoning:?}, {calls} instead of {}", self.name(), self.0))
    }
}
