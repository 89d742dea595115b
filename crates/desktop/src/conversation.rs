//! A conversation, as it is kept and exported.

use qwill::Message;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Letters of a title that is taken from a text.
const TITLE: usize = 48;

/// Who wrote a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Author {
    /// The person.
    User,
    /// The model.
    Assistant,
}

/// How a reply ended, and how fast it was.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// Tokens of the reply.
    pub n_tokens: usize,
    /// Tokens after the first a second.
    pub tokens_per_second: f64,
    /// Tokens of the prompt that were read.
    pub n_read: usize,
    /// Milliseconds until the first token.
    pub first_ms: f64,
    /// Why it is not whole: it was stopped, or the context was full.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut_off: Option<String>,
}

/// A message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Turn {
    /// Who wrote it.
    pub author: Author,
    /// What stands in it.
    pub text: String,
    /// The model's thoughts before it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reasoning: String,
    /// Of a reply that has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
}

impl Turn {
    /// What a person wrote.
    pub fn user(text: &str) -> Self {
        Self { author: Author::User, text: text.to_owned(), reasoning: String::new(), outcome: None }
    }

    /// A reply that begins.
    pub fn assistant() -> Self {
        Self { author: Author::Assistant, text: String::new(), reasoning: String::new(), outcome: None }
    }

    fn message(&self) -> Message {
        match self.author {
            Author::User => Message::user(&*self.text),
            Author::Assistant if self.reasoning.is_empty() => Message::assistant(&*self.text),
            Author::Assistant => {
                let fields =
                    json!({"role": "assistant", "content": self.text, "reasoning_content": self.reasoning});
                // it is a message, whatever stands in it
                serde_json::from_value(fields).unwrap_or_else(|_| Message::assistant(&*self.text))
            }
        }
    }
}

/// A conversation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Conversation {
    /// The name of its file: digits, as they grow with time.
    pub id: u64,
    /// What it is called.
    pub title: String,
    /// Its messages, questions and replies in turns.
    pub turns: Vec<Turn>,
}

impl Conversation {
    /// An empty one.
    pub fn new(id: u64) -> Self {
        Self { id, title: String::new(), turns: Vec::new() }
    }

    /// Adds a question. The first one gives a conversation without a title its title.
    pub fn ask(&mut self, text: &str) {
        self.turns.push(Turn::user(text));
        if self.title.is_empty() {
            let line = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default().trim();
            self.title = line.chars().take(TITLE).collect();
            if line.chars().count() > TITLE {
                self.title.push('…');
            }
        }
    }

    /// The title, or what stands for one.
    pub fn shown_title(&self) -> &str {
        if self.title.is_empty() { "New conversation" } else { &self.title }
    }

    /// Whether a text occurs in it, whatever its case.
    pub fn mentions(&self, text: &str) -> bool {
        let wanted = text.to_lowercase();
        let has = |text: &str| text.to_lowercase().contains(&wanted);
        has(self.shown_title()) || self.turns.iter().any(|turn| has(&turn.text))
    }

    /// As the model reads it, behind the system prompt.
    pub fn messages(&self, system_prompt: &str) -> Vec<Message> {
        let system = (!system_prompt.trim().is_empty()).then(|| Message::system(system_prompt));
        system.into_iter().chain(self.turns.iter().map(Turn::message)).collect()
    }

    /// As a Markdown document.
    pub fn to_markdown(&self) -> String {
        let mut text = format!("# {}\n", self.shown_title());
        for turn in &self.turns {
            let who = match turn.author {
                Author::User => "You",
                Author::Assistant => "Model",
            };
            text.push_str(&format!("\n## {who}\n\n"));
            if !turn.reasoning.trim().is_empty() {
                let thoughts = turn.reasoning.trim().replace('\n', "\n> ");
                text.push_str(&format!("> {thoughts}\n\n"));
            }
            text.push_str(turn.text.trim());
            text.push('\n');
        }
        text
    }

    /// As a JSON document: its messages in OpenAI's shape.
    pub fn to_json(&self) -> String {
        let document = json!({"title": self.shown_title(), "messages": self.messages("")});
        format!("{document:#}\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conversation() -> Conversation {
        let mut conversation = Conversation::new(7);
        conversation.ask("\n  What is Rust?\nBriefly.");
        let reply = Turn { text: "A *language*.".into(), reasoning: "Hm.\nYes.".into(), ..Turn::assistant() };
        conversation.turns.push(reply);
        conversation
    }

    #[test]
    fn the_first_question_names_it() {
        let mut conversation = conversation();
        conversation.ask("And C?");
        assert_eq!(conversation.title, "What is Rust?");
        let mut long = Conversation::new(1);
        long.ask(&"ä".repeat(100));
        assert_eq!(long.title.chars().count(), TITLE + 1);
        assert_eq!(Conversation::new(1).shown_title(), "New conversation");
    }

    #[test]
    fn it_is_exported_for_people_and_for_programs() {
        let markdown = "# What is Rust?\n\n## You\n\nWhat is Rust?\nBriefly.\n\n## Model\n\n> Hm.\n> Yes.\n\nA *language*.\n";
        assert_eq!(conversation().to_markdown(), markdown);
        let json: serde_json::Value = serde_json::from_str(&conversation().to_json()).unwrap();
        assert_eq!(json["messages"][0]["role"], "user");
        assert_eq!(json["messages"][1]["reasoning_content"], "Hm.\nYes.");
    }

    #[test]
    fn the_system_prompt_stands_before_it() {
        assert_eq!(conversation().messages("Be brief.").len(), 3);
        assert_eq!(conversation().messages("  ").len(), 2);
        assert!(conversation().mentions("rUsT") && conversation().mentions("LANGUAGE"));
        assert!(!conversation().mentions("python"));
    }
}
