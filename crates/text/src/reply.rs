//! What a model wrote, taken apart: thoughts, text for the reader, and tool calls.

mod block;
mod json_block;
mod json_call;
mod mender;
mod opening;
mod parser;
mod progress;
mod react;
mod schema_type;
mod tag;
mod teller;
mod tools;
mod xml_block;
mod xml_call;
mod xml_ends;
mod xml_value;

pub use self::parser::ReplyParser;
pub use self::react::ReactParser;
pub use self::tag::{ReplyTag, Visibility};

/// Where a reply begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplyStart {
    /// With text; the model may open `<think>` itself.
    Content,
    /// Inside thoughts: the prompt already ended in `<think>`.
    Thinking,
}

/// What ends thoughts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThoughtsEnd {
    /// `</think>`, however it is written.
    Text,
    /// The token of that name, so that thoughts may mention it. For vocabularies that have one.
    Token,
}

/// A piece of a reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReplyEvent {
    /// More of the thoughts.
    Reasoning(String),
    /// More of the text.
    Content(String),
    /// A part of a call while it is written. All parts of a call come before its [`Self::ToolCall`].
    ToolCallDelta(ToolCallDelta),
    /// A whole call of a tool.
    ToolCall {
        /// The tool's name.
        name: String,
        /// Its arguments, a JSON object as text: those of all its parts together.
        arguments: String,
    },
}

impl ReplyEvent {
    /// What is told of the first call of a reply if it is told at once.
    fn whole_call(name: String, arguments: String) -> [Self; 2] {
        let delta = ToolCallDelta { call: 0, name: Some(name.clone()), arguments: arguments.clone() };
        [Self::ToolCallDelta(delta), Self::ToolCall { name, arguments }]
    }
}

/// A part of a call of a tool.
///
/// A call is told while it is written once it is certain that one is meant: a declared tool is named in the form of a call,
/// and its first argument begins. Any other is told when it is complete, in one part, since up to then it may be an example
/// in the text. Even a call that was begun may break off, because of a limit or a mistake that cannot be mended. Then its text
/// follows as content, as if it had not been told, and there is no [`ReplyEvent::ToolCall`] of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolCallDelta {
    /// Which of the calls that were begun, from 0.
    pub call: usize,
    /// The tool's name, in the first part of each call.
    pub name: Option<String>,
    /// More of the arguments.
    pub arguments: String,
}

/// What ends thoughts that have used up their budget: appended to them (without the line breaks they
/// end in) before the model goes on with its answer, as the makers of Qwen3 do it.
pub const THINKING_BUDGET_END: &str = "\n\nConsidering the limited time by the user, I have to give the solution based on the thinking directly now.\n</think>\n\n";

#[cfg(test)]
mod tests;
