//! What a model wrote, taken apart: thoughts, text for the reader, and tool calls.

mod call;
mod react;

use serde_json::Value;

use self::call::{Call, Parsed};
pub use self::react::ReactParser;

/// Where a reply begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplyStart {
    /// With text; the model may open `<think>` itself.
    Content,
    /// Inside thoughts: the prompt already ended in `<think>`.
    Thinking,
}

/// A piece of a reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReplyEvent {
    /// More of the thoughts.
    Reasoning(String),
    /// More of the text.
    Content(String),
    /// A whole call of a tool.
    ToolCall {
        /// The tool's name.
        name: String,
        /// Its arguments, a JSON object as text.
        arguments: String,
    },
}

/// What ends thoughts that have used up their budget: appended to them (without the line breaks they
/// end in) before the model goes on with its answer, as the makers of Qwen3 do it.
pub const THINKING_BUDGET_END: &str = "\n\nConsidering the limited time by the user, I have to give the solution based on the thinking directly now.\n</think>\n\n";

const THINK: &str = "<think>";
const END_THINK: &str = "</think>";
const CALL: &str = "<tool_call>";
const END_CALL: &str = "</tool_call>";

/// Takes a reply apart while it streams.
///
/// Both forms of tool calls are understood: JSON between the tags (Qwen2.5, Qwen3) and
/// `<function=…><parameter=…>` (Qwen3-Coder, Qwen3.5). What looks like a call and is none comes out
/// as content, unchanged. White space around thoughts and calls is dropped, nothing else is, and
/// where the text is cut into pushes makes no difference.
#[derive(Clone, Debug)]
pub struct ReplyParser {
    place: Place,
    /// Text not yet given out: white space, or a tag that is not complete.
    held: String,
    /// White space before the call that is being read, needed again if it is none.
    gap: String,
    /// How much of the call was searched for its end.
    searched: usize,
    /// Nothing but white space came since the start, the thoughts or a call.
    blank: bool,
    /// Line breaks at this place only set it apart from thoughts or a call.
    after_tag: bool,
    /// Nothing but thoughts came so far, so that thoughts may (again) begin.
    may_think: bool,
    tools: Vec<Value>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Thoughts,
    Content,
    Call,
}

impl ReplyParser {
    /// A parser for one reply.
    #[must_use]
    pub fn new(start: ReplyStart) -> Self {
        let place = match start {
            ReplyStart::Content => Place::Content,
            ReplyStart::Thinking => Place::Thoughts,
        };
        Self {
            place,
            held: String::new(),
            gap: String::new(),
            searched: 0,
            blank: true,
            after_tag: start == ReplyStart::Thinking,
            may_think: true,
            tools: Vec::new(),
        }
    }

    /// Tells the parser the tools on offer. Arguments in XML have no types of their own; those that
    /// a tool declares decide whether `5` is a number or a text.
    #[must_use]
    pub fn with_tools(mut self, tools: &[Value]) -> Self {
        self.tools = tools.to_vec();
        self
    }

    /// Takes the next text.
    pub fn push(&mut self, text: &str) -> Vec<ReplyEvent> {
        self.held.push_str(text);
        let mut events = Vec::new();
        while self.step(&mut events) {}
        events
    }

    /// Whether the text so far ends inside thoughts.
    #[must_use]
    pub fn is_thinking(&self) -> bool {
        self.place == Place::Thoughts
    }

    /// Drops the line breaks that the thoughts end in so far, so that something can be appended.
    pub fn trim_thoughts(&mut self) {
        if self.is_thinking() {
            self.held.truncate(self.held.trim_end_matches('\n').len());
        }
    }

    /// Ends the reply: gives out what was held back. A call whose closing tag is missing still
    /// counts if it is complete.
    pub fn finish(&mut self) -> Vec<ReplyEvent> {
        let mut events = Vec::new();
        let held = std::mem::take(&mut self.held);
        match self.place {
            Place::Thoughts => self.reasoning(held.trim_end_matches('\n'), &mut events),
            // White space at the end is part of the text, but none is left after a call.
            Place::Content if self.blank && !self.may_think && held.trim().is_empty() => {}
            Place::Content => self.content(&held, &mut events),
            Place::Call => match call::parse(&held, &self.tools) {
                Parsed::Call(call) => events.push(call.into()),
                Parsed::Unfinished | Parsed::Malformed => {
                    let gap = std::mem::take(&mut self.gap);
                    self.content(&format!("{gap}{CALL}{held}"), &mut events);
                }
            },
        }
        events
    }

    /// Gives out what is certain; false when more text is needed.
    fn step(&mut self, events: &mut Vec<ReplyEvent>) -> bool {
        match self.place {
            Place::Thoughts => self.think(events),
            Place::Content => self.read(events),
            Place::Call => self.collect_call(events),
        }
    }

    fn think(&mut self, events: &mut Vec<ReplyEvent>) -> bool {
        // The model may repeat the tag that the prompt already holds.
        if self.blank {
            let text = self.held.trim_start();
            if let Some(rest) = text.strip_prefix(THINK) {
                self.held = rest.to_owned();
                return true;
            }
            if text.is_empty() || THINK.starts_with(text) {
                return false;
            }
        }
        if let Some(at) = self.held.find(END_THINK) {
            let thoughts: String = self.held.drain(..at + END_THINK.len()).collect();
            self.reasoning(thoughts[..at].trim_end_matches('\n'), events);
            self.place = Place::Content;
            self.blank = true;
            self.after_tag = true;
            return true;
        }
        // Line breaks before the closing tag do not belong to the thoughts.
        let tag = partial_tag(&self.held, &[END_THINK]);
        let before = self.held[..self.held.len() - tag].trim_end_matches('\n').len();
        let certain: String = self.held.drain(..before).collect();
        self.reasoning(&certain, events);
        false
    }

    fn read(&mut self, events: &mut Vec<ReplyEvent>) -> bool {
        if self.blank && self.may_think {
            let text = self.held.trim_start();
            if let Some(rest) = text.strip_prefix(THINK) {
                self.held = rest.to_owned();
                self.place = Place::Thoughts;
                self.after_tag = true;
                return true;
            }
            if THINK.starts_with(text) {
                return false;
            }
        }
        if let Some(at) = self.held.find(CALL) {
            let before: String = self.held.drain(..at + CALL.len()).collect();
            let text = before[..at].trim_end();
            self.content(text, events);
            self.gap = before[text.len()..at].to_owned();
            self.place = Place::Call;
            self.searched = 0;
            return true;
        }
        // White space is held back because it is dropped if a call follows.
        let tag = partial_tag(&self.held, &[CALL]);
        let before = self.held[..self.held.len() - tag].trim_end().len();
        let certain: String = self.held.drain(..before).collect();
        self.content(&certain, events);
        false
    }

    fn collect_call(&mut self, events: &mut Vec<ReplyEvent>) -> bool {
        let Some(found) = self.held[self.searched..].find(END_CALL) else {
            self.searched = self.held.len() - partial_tag(&self.held, &[END_CALL]);
            return false;
        };
        let at = self.searched + found;
        let after = at + END_CALL.len();
        match call::parse(&self.held[..at], &self.tools) {
            Parsed::Call(call) => {
                self.held.drain(..after);
                events.push(call.into());
                self.blank = true;
                self.after_tag = true;
                self.may_think = false;
                self.place = Place::Content;
            }
            // The tag is part of an argument.
            Parsed::Unfinished => self.searched = after,
            Parsed::Malformed => {
                let text: String = self.held.drain(..after).collect();
                let gap = std::mem::take(&mut self.gap);
                self.content(&format!("{gap}{CALL}{text}"), events);
                self.place = Place::Content;
            }
        }
        true
    }

    /// Gives out thoughts.
    fn reasoning(&mut self, text: &str, events: &mut Vec<ReplyEvent>) {
        let text = self.without_break(text);
        if !text.is_empty() {
            self.blank = false;
            self.after_tag = false;
            events.push(ReplyEvent::Reasoning(text.to_owned()));
        }
    }

    /// Gives out content.
    fn content(&mut self, text: &str, events: &mut Vec<ReplyEvent>) {
        let text = self.without_break(text);
        if text.is_empty() {
            return;
        }
        self.blank = false;
        self.after_tag = false;
        self.may_think = false;
        if let Some(ReplyEvent::Content(last)) = events.last_mut() {
            last.push_str(text);
        } else {
            events.push(ReplyEvent::Content(text.to_owned()));
        }
    }

    /// The text without the line breaks that set it apart from what came before.
    fn without_break<'t>(&self, text: &'t str) -> &'t str {
        if self.after_tag { text.trim_start_matches('\n') } else { text }
    }
}

impl From<Call> for ReplyEvent {
    fn from(call: Call) -> Self {
        Self::ToolCall { name: call.name, arguments: call.arguments }
    }
}

/// Length of the longest end of `text` that is the beginning of a tag, but not all of it.
fn partial_tag(text: &str, tags: &[&str]) -> usize {
    tags.iter().flat_map(|tag| (1..tag.len()).rev().filter(|&n| text.ends_with(&tag[..n]))).max().unwrap_or(0)
}

#[cfg(test)]
mod tests;
