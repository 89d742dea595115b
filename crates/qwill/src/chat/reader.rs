//! From tokens to events: detokenises, watches for the end, takes the reply apart.

use std::collections::VecDeque;

use qwill_text::{DecodeStream, ReplyEvent, StopRules, THINKING_BUDGET_END, Tokenizer};

use super::prompt::ReplyForm;
use super::{ChatEvent, TokenLogprob, ToolCall};

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

/// What has come of a reply so far, and what of it was not told yet.
pub(super) struct ReplyReader {
    decoder: DecodeStream,
    stop: StopRules,
    form: ReplyForm,
    /// Tokens that the thoughts may still have.
    thinking_left: usize,
    /// Tokens that are thoughts, or begin or end them.
    pub(super) n_thought: usize,
    pub(super) text: String,
    pub(super) reasoning: String,
    pub(super) tool_calls: Vec<ToolCall>,
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
            thinking_left: thinking_budget.unwrap_or(usize::MAX),
            n_thought: 0,
            text: String::new(),
            reasoning: String::new(),
            tool_calls: Vec::new(),
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
        let text = self.decoder.push(id);
        let step = self.stop.push(&text);
        self.push(&step.emit);
        self.n_thought += usize::from(was_thinking || self.is_thinking());
        self.logprobs.extend(logprobs.clone());
        self.events.push_back(ChatEvent::Token { logprobs });
        if step.stopped.is_some() {
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
        matches!(&self.form, ReplyForm::Tags(parser) if parser.is_thinking())
    }

    /// Ends the thoughts in the words that the model was trained on.
    pub(super) fn end_thoughts(&mut self, tokenizer: &Tokenizer) {
        let decoder = std::mem::replace(&mut self.decoder, tokenizer.stream());
        let held = self.stop.finish() + &decoder.finish();
        self.push(&held);
        if let ReplyForm::Tags(parser) = &mut self.form {
            parser.trim_thoughts();
        }
        self.push(THINKING_BUDGET_END);
    }

    fn push(&mut self, text: &str) {
        let events = self.form.push(text);
        self.note(events);
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
                ReplyEvent::ToolCall { name, arguments } => {
                    let call = ToolCall { name, arguments };
                    self.tool_calls.push(call.clone());
                    ChatEvent::ToolCall(call)
                }
            });
        }
    }

    /// Nothing follows: what was held back counts.
    pub(super) fn finish(&mut self, tokenizer: &Tokenizer) {
        let decoder = std::mem::replace(&mut self.decoder, tokenizer.stream());
        let step = self.stop.push(&decoder.finish());
        let held = step.emit + &self.stop.finish();
        self.push(&held);
        let rest = self.form.finish();
        self.note(rest);
    }
}
