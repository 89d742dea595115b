//! From tokens to events: detokenises, watches for the end, takes the reply apart.

use std::collections::VecDeque;

use qwill_text::{DecodeStream, ReplyEvent, SpecialsOut, StopRules, Tokenizer};

use super::prompt::ReplyForm;
use super::tag_places::{Part, TagPlaces};
use super::{ChatEvent, TokenLogprob, ToolCall, ToolCallDelta};

/// Whether a reply goes on behind a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It does.
    GoesOn,
    /// The model ended it, or a stop string did.
    Ends,
    /// Its thoughts are as long as they may be.
    ThoughtEnough,
}

/// Whether a reply is all that the model had to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// It is.
    Whole,
    /// Something else ended it.
    CutOff,
}

/// What has come of a reply so far, and what of it was not told yet.
pub(super) struct ReplyReader {
    decoder: DecodeStream,
    stop: StopRules,
    form: ReplyForm,
    /// Tags that are tokens, on their way through the stop strings.
    tags: TagPlaces,
    /// Tokens that the thoughts may still have.
    thinking_left: usize,
    /// Tokens that are thoughts, or begin or end them.
    pub(super) n_thought: usize,
    pub(super) text: String,
    pub(super) reasoning: String,
    pub(super) tool_calls: Vec<ToolCall>,
    /// What ended it, if a stop string did.
    pub(super) stop_string: Option<String>,
    /// Of the tokens that were told, if that was asked for.
    pub(super) logprobs: Vec<TokenLogprob>,
    pub(super) events: VecDeque<ChatEvent>,
}

impl ReplyReader {
    pub(super) fn new(
        tokenizer: &Tokenizer,
        stop: StopRules,
        form: ReplyForm,
        thinking_budget: Option<usize>,
    ) -> Self {
        Self {
            decoder: tokenizer.stream(),
            stop,
            form,
            tags: TagPlaces::default(),
            thinking_left: thinking_budget.unwrap_or(usize::MAX),
            n_thought: 0,
            text: String::new(),
            reasoning: String::new(),
            tool_calls: Vec::new(),
            stop_string: None,
            logprobs: Vec::new(),
            events: VecDeque::new(),
        }
    }

    /// The prompt begins the reply.
    pub(super) fn echo(&mut self, text: String, logprobs: Vec<TokenLogprob>) {
        self.text.push_str(&text);
        self.logprobs.extend_from_slice(&logprobs);
        self.events.push_back(ChatEvent::Prompt { text, logprobs });
    }

    pub(super) fn token(&mut self, id: u32, logprobs: Option<TokenLogprob>) -> Verdict {
        if self.stop.is_eos(id) {
            return Verdict::Ends;
        }
        let was_thinking = self.is_thinking();
        let tag = self.form.tag(id);
        let text = match tag {
            // Some files count it as special, which would leave it out.
            Some(_) => self.decoder.push_as(id, SpecialsOut::Keep),
            None => self.decoder.push(id),
        };
        self.tags.note(&text, tag);
        let step = self.stop.push(&text);
        self.push(&step.emit);
        self.n_thought += usize::from(was_thinking || self.is_thinking());
        self.logprobs.extend(logprobs.clone());
        self.events.push_back(ChatEvent::Token { logprobs });
        if step.stopped.is_some() {
            self.stop_string = step.stopped;
            return Verdict::Ends;
        }
        if self.is_thinking() {
            self.thinking_left = self.thinking_left.saturating_sub(1);
            if self.thinking_left == 0 {
                return Verdict::ThoughtEnough;
            }
        }
        Verdict::GoesOn
    }

    fn is_thinking(&self) -> bool {
        matches!(&self.form, ReplyForm::Tags(parser, _) if parser.is_thinking())
    }

    /// Ends the thoughts in the words that the model was trained on.
    pub(super) fn end_thoughts(&mut self, tokenizer: &Tokenizer) {
        let rest = std::mem::replace(&mut self.decoder, tokenizer.stream()).finish();
        self.tags.note(&rest, None);
        let held = self.stop.finish() + &rest;
        self.push(&held);
        if let ReplyForm::Tags(parser, _) = &mut self.form {
            let events = parser.end_thoughts();
            self.note(events);
        }
    }

    fn push(&mut self, text: &str) {
        for part in self.tags.split(text) {
            let events = match part {
                Part::Text(text) => self.form.push(&text),
                Part::Tag(tag, visibility) => self.form.push_tag(tag, visibility),
            };
            self.note(events);
        }
    }

    fn note(&mut self, events: Vec<ReplyEvent>) {
        for event in events {
            self.events.push_back(match event {
                ReplyEvent::Reasoning(text) => {
                    self.reasoning.push_str(&text);
                    ChatEvent::Reasoning { text }
                }
                ReplyEvent::Content(text) => {
                    self.text.push_str(&text);
                    ChatEvent::Content { text }
                }
                ReplyEvent::ToolCallDelta(delta) => {
                    let qwill_text::ToolCallDelta { call, name, arguments } = delta;
                    ChatEvent::ToolCallDelta(ToolCallDelta { call, name, arguments })
                }
                ReplyEvent::ToolCall { name, arguments } => {
                    let call = ToolCall { name, arguments };
                    self.tool_calls.push(call.clone());
                    ChatEvent::ToolCall(call)
                }
            });
        }
    }

    /// Nothing follows: what was held back counts.
    pub(super) fn finish(&mut self, tokenizer: &Tokenizer, extent: Extent) {
        let rest = std::mem::replace(&mut self.decoder, tokenizer.stream()).finish();
        self.tags.note(&rest, None);
        let step = self.stop.push(&rest);
        self.stop_string = self.stop_string.take().or(step.stopped);
        let held = step.emit + &self.stop.finish();
        self.push(&held);
        let begun = self.tags.finish();
        self.push(&begun);
        let rest = match extent {
            Extent::Whole => self.form.finish(),
            Extent::CutOff => self.form.cut(),
        };
        self.note(rest);
    }
}
