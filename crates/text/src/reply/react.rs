//! Replies of Qwen1 with tools: thoughts, an action and its input, or a final answer, each on a
//! line that begins with its name.

use super::mender::Mender;
use super::{ReplyEvent, ReplyStart};
use crate::REACT_STOP;

const THOUGHT: &str = "Thought:";
const ACTION: &str = "Action:";
const INPUT: &str = "\nAction Input:";
const ANSWER: &str = "Final Answer:";

/// Takes a reply in ReAct's form apart while it streams. Where the text is cut into pushes makes no
/// difference, and an action that is none comes out as content, unchanged.
#[derive(Clone, Debug)]
pub struct ReactParser {
    place: Place,
    /// Text of which it is not certain yet what it is.
    held: String,
    /// Nothing of this part was given out yet.
    blank: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Before the first word.
    Start,
    Thoughts,
    /// Text that no name stands before; an action may follow.
    Content,
    /// The held text begins with an action.
    Call,
    /// Text up to the end.
    Answer,
    /// Behind a call: whatever comes is made up.
    Done,
}

impl ReactParser {
    /// A parser for one reply; with [`ReplyStart::Thinking`] the prompt ended in `Thought:`.
    #[must_use]
    pub fn new(start: ReplyStart) -> Self {
        let place = match start {
            ReplyStart::Content => Place::Start,
            ReplyStart::Thinking => Place::Thoughts,
        };
        Self { place, held: String::new(), blank: true }
    }

    /// Takes the next text.
    pub fn push(&mut self, text: &str) -> Vec<ReplyEvent> {
        self.held.push_str(text);
        let mut events = Vec::new();
        while self.step(&mut events) {}
        events
    }

    /// Ends the reply: gives out what was held back. An action with its input is a call now.
    pub fn finish(&mut self) -> Vec<ReplyEvent> {
        let mut events = Vec::new();
        let held = std::mem::take(&mut self.held);
        match self.place {
            Place::Done => {}
            Place::Thoughts => self.give(held.trim_end(), &mut events),
            Place::Start | Place::Content | Place::Answer => self.give(&held, &mut events),
            Place::Call => match call_of(&held) {
                Some((name, arguments)) => events.extend(ReplyEvent::whole_call(name, arguments)),
                None => events.push(ReplyEvent::Content(held)),
            },
        }
        events
    }

    /// Gives out what is certain; false when more text is needed.
    fn step(&mut self, events: &mut Vec<ReplyEvent>) -> bool {
        let names: &[(&str, Place)] = match self.place {
            Place::Start => {
                let text = self.held.trim_start();
                let names = [(THOUGHT, Place::Thoughts), (ACTION, Place::Content), (ANSWER, Place::Answer)];
                if let Some((name, place)) = names.into_iter().find(|(name, _)| text.starts_with(name)) {
                    // The action's name stays: it is the beginning of the call.
                    let rest = if name == ACTION { text } else { &text[name.len()..] };
                    (self.place, self.held) = (place, rest.to_owned());
                    return true;
                }
                if names.iter().any(|(name, _)| name.starts_with(text)) {
                    return false;
                }
                self.place = Place::Content;
                return true;
            }
            Place::Thoughts => &[(ACTION, Place::Call), (ANSWER, Place::Answer)],
            Place::Content => &[(ACTION, Place::Call)],
            Place::Answer => &[],
            Place::Call => {
                let Some(at) = self.held.find(&format!("\n{REACT_STOP}")) else { return false };
                self.held.truncate(at);
                events.extend(self.finish());
                self.place = Place::Done;
                return false;
            }
            Place::Done => {
                self.held.clear();
                return false;
            }
        };
        if self.blank {
            // What a name is followed by; plain text keeps it.
            if self.place != Place::Content {
                self.held = self.held.trim_start().to_owned();
            }
            if self.held.is_empty() {
                return false;
            }
        }
        let begins_line = |at: usize| if at == 0 { self.blank } else { self.held[..at].ends_with('\n') };
        let found = names
            .iter()
            .filter_map(|&(name, place)| {
                let at = self.held.match_indices(name).map(|(at, _)| at).find(|&at| begins_line(at))?;
                Some((at, name, place))
            })
            .min_by_key(|&(at, ..)| at);
        if let Some((at, name, place)) = found {
            let rest = self.held.split_off(at);
            let before = std::mem::replace(&mut self.held, rest);
            self.give(before.trim_end(), events);
            if place != Place::Call {
                self.held.drain(..name.len());
            }
            (self.place, self.blank) = (place, true);
            return true;
        }
        let line = self.held.rfind('\n').map_or(if self.blank { 0 } else { self.held.len() }, |at| at + 1);
        let may_be_name = names.iter().any(|(name, _)| name.starts_with(&self.held[line..]));
        let certain = if may_be_name { &self.held[..line] } else { &self.held };
        // White space is held back because it is dropped before a name.
        let certain = if self.place == Place::Answer { certain.len() } else { certain.trim_end().len() };
        let text: String = self.held.drain(..certain).collect();
        self.give(&text, events);
        false
    }

    fn give(&mut self, text: &str, events: &mut Vec<ReplyEvent>) {
        if text.is_empty() {
            return;
        }
        self.blank = false;
        events.push(match self.place {
            Place::Thoughts => ReplyEvent::Reasoning(text.to_owned()),
            _ => ReplyEvent::Content(text.to_owned()),
        });
    }
}

/// `Action: NAME\nAction Input: {…}`; what follows the object is ignored.
fn call_of(text: &str) -> Option<(String, String)> {
    let (name, input) = text.strip_prefix(ACTION)?.split_once(INPUT)?;
    let name = name.trim();
    if name.is_empty() || name.contains('\n') {
        return None;
    }
    let input = input.trim_start();
    if input.is_empty() {
        return Some((name.to_owned(), "{}".to_owned()));
    }
    let mut mender = Mender::new();
    let is_object = input.starts_with('{');
    let is_complete = is_object && input.chars().any(|c| mender.push(c).is_err() || mender.is_done());
    (is_complete && mender.is_done()).then(|| (name.to_owned(), mender.out().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reasoning, content and calls, the same for every size of pieces.
    fn check(start: ReplyStart, text: &str, reasoning: &str, content: &str, calls: &[(&str, &str)]) {
        for size in 1..=text.chars().count() {
            let mut parser = ReactParser::new(start);
            let chars: Vec<char> = text.chars().collect();
            let mut events: Vec<_> =
                chars.chunks(size).flat_map(|piece| parser.push(&piece.iter().collect::<String>())).collect();
            events.extend(parser.finish());
            let (mut thoughts, mut said, mut called) = (String::new(), String::new(), Vec::new());
            for event in events {
                match event {
                    ReplyEvent::Reasoning(text) => thoughts += &text,
                    ReplyEvent::Content(text) => said += &text,
                    ReplyEvent::ToolCallDelta(delta) => assert_eq!(delta.call, 0),
                    ReplyEvent::ToolCall { name, arguments } => called.push((name, arguments)),
                }
            }
            let called: Vec<_> = called.iter().map(|(n, a)| (n.as_str(), a.as_str())).collect();
            assert_eq!(
                (thoughts.as_str(), said.as_str(), &called[..]),
                (reasoning, content, calls),
                "{text:?} by {size}"
            );
        }
    }

    use ReplyStart::{Content, Thinking};

    #[test]
    fn actions_become_calls() {
        let call = &[("get_t", "{\"c\": \"柏林\"}")];
        check(
            Content,
            "Thought: need it\nAction: get_t\nAction Input: {\"c\": \"柏林\"}\n",
            "need it",
            "",
            call,
        );
        check(
            Thinking,
            " need it\n\nso\nAction: get_t\nAction Input: {\"c\": \"柏林\"}",
            "need it\n\nso",
            "",
            call,
        );
        check(Content, "\nAction: get_t\nAction Input: {\"c\": \"柏林\"} ok", "", "", call);
        check(
            Content,
            "I look.\nAction: get_t\nAction Input:\n{\"c\": \"柏林\"}\nObservation: 5\nThought: x",
            "",
            "I look.",
            call,
        );
        check(Thinking, "\nAction: now\nAction Input:", "", "", &[("now", "{}")]);
        let slips = "Action: f\nAction Input: {'a': True,\n}";
        check(Content, slips, "", "", &[("f", "{\"a\": true\n}")]);
    }

    #[test]
    fn answers_are_content() {
        check(
            Content,
            "Thought: I now know the final answer\nFinal Answer: 5 °C\n",
            "I now know the final answer",
            "5 °C\n",
            &[],
        );
        check(
            Thinking,
            " done\nFinal Answer: a\nThought: b\nAction: c",
            "done",
            "a\nThought: b\nAction: c",
            &[],
        );
        check(Content, "Hello,\nActions speak.\n", "", "Hello,\nActions speak.\n", &[]);
        check(Content, "Final Answer:yes", "", "yes", &[]);
        check(Content, " Tho", "", " Tho", &[]);
        check(Thinking, "only Action: in a line", "only Action: in a line", "", &[]);
    }

    #[test]
    fn what_is_no_call_stays_text() {
        for text in [
            "Action: f\nAction Input: many",
            "Action: f\nAction Input: [1]",
            "Action: f\nno input",
            "Action: \nAction Input: {}",
            "Action: f\nAction Input: {\"a\": ",
        ] {
            check(Content, text, "", text, &[]);
        }
    }
}
