//! What was found in a reply, told piece by piece, with the white space between.

use super::progress::CallPiece;
use super::tag::shown;
use super::{ReplyEvent, ToolCallDelta};

/// What text is that is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Voice {
    Reasoning,
    Content,
}

/// What came before the text that is told next.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Before {
    /// Text, or the begin of a reply: white space is a part of what follows.
    Text,
    /// A tag that line breaks only set apart.
    Tag,
    /// A call behind some text, with the white space between them.
    Call { space: String },
}

/// Tells events.
#[derive(Clone, Debug)]
pub(super) struct Teller {
    voice: Voice,
    before: Before,
    /// Whether something but white space was told in this voice.
    has_said: bool,
    /// The call that is being told: its name and arguments so far.
    call: Option<(String, String)>,
    /// Calls that were begun.
    n_calls: usize,
}

impl Teller {
    pub(super) fn new(voice: Voice) -> Self {
        let before = if voice == Voice::Reasoning { Before::Tag } else { Before::Text };
        Self { voice, before, has_said: false, call: None, n_calls: 0 }
    }

    /// What follows is told in another voice, behind a tag.
    pub(super) fn change(&mut self, voice: Voice) {
        (self.voice, self.before, self.has_said) = (voice, Before::Tag, false);
    }

    /// Whether nothing was told since the voice changed, or since a call.
    pub(super) fn is_blank(&self) -> bool {
        !self.has_said || matches!(self.before, Before::Call { .. })
    }

    /// Tells text. White space at its begin may go.
    pub(super) fn say(&mut self, text: &str, events: &mut Vec<ReplyEvent>) {
        let text = shown(text);
        let text = match &self.before {
            Before::Text => text,
            Before::Tag => text.trim_start_matches('\n').to_owned(),
            Before::Call { space } => joined(space, &text),
        };
        if text.is_empty() {
            return;
        }
        self.before = Before::Text;
        self.has_said |= !text.trim().is_empty();
        match (events.last_mut(), self.voice) {
            (Some(ReplyEvent::Content(last)), Voice::Content) => last.push_str(&text),
            (Some(ReplyEvent::Reasoning(last)), Voice::Reasoning) => last.push_str(&text),
            (_, Voice::Content) => events.push(ReplyEvent::Content(text)),
            (_, Voice::Reasoning) => events.push(ReplyEvent::Reasoning(text)),
        }
    }

    /// Tells of a call; `space` is the white space before it.
    pub(super) fn call(&mut self, piece: CallPiece, space: &str, events: &mut Vec<ReplyEvent>) {
        match piece {
            CallPiece::Name(name) => {
                self.n_calls += 1;
                self.delta(Some(name.clone()), String::new(), events);
                self.call = Some((name, String::new()));
            }
            CallPiece::Arguments(text) => {
                if let Some((_, arguments)) = &mut self.call {
                    arguments.push_str(&text);
                }
                self.delta(None, text, events);
            }
            CallPiece::End { .. } => {
                if let Some((name, arguments)) = self.call.take() {
                    events.push(ReplyEvent::ToolCall { name, arguments });
                }
                self.before = match (&self.before, self.has_said) {
                    (Before::Call { space }, _) => Before::Call { space: space.clone() },
                    (_, true) => Before::Call { space: space.to_owned() },
                    (_, false) => Before::Tag,
                };
            }
        }
    }

    /// The call that is being told turned out to be none.
    pub(super) fn drop_call(&mut self) {
        self.call = None;
    }

    fn delta(&self, name: Option<String>, arguments: String, events: &mut Vec<ReplyEvent>) {
        let call = self.n_calls.saturating_sub(1);
        match events.last_mut() {
            // What is certain together is told together.
            Some(ReplyEvent::ToolCallDelta(last)) if last.call == call && name.is_none() => {
                last.arguments.push_str(&arguments);
            }
            _ => events.push(ReplyEvent::ToolCallDelta(ToolCallDelta { call, name, arguments })),
        }
    }
}

/// Text behind a call behind other text: of the white space on both sides of the call, the side with more line breaks stays.
fn joined(space: &str, text: &str) -> String {
    let rest = text.trim_start();
    let behind = &text[..text.len() - rest.len()];
    let breaks = |space: &str| space.matches('\n').count();
    let kept = if breaks(behind) < breaks(space) || behind.is_empty() { space } else { behind };
    format!("{kept}{rest}")
}
