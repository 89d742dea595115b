//! From tokens to events: detokenises, watches for the end, takes the reply apart.

use qwill_text::{DecodeStream, ReplyEvent, StopRules, THINKING_BUDGET_END, Tokenizer};

use super::prompt::ReplyForm;
use super::{ChatEvent, ChatReply, ToolCall};
use crate::Control;

pub(super) struct ReplyReader<'a> {
    tokenizer: &'a Tokenizer,
    decoder: DecodeStream,
    stop: StopRules,
    form: ReplyForm,
    /// Tokens that the thoughts may still have.
    thinking_left: usize,
    reply: &'a mut ChatReply,
    on_event: &'a mut dyn FnMut(ChatEvent) -> Control,
    control: Control,
}

impl<'a> ReplyReader<'a> {
    pub(super) fn new(
        tokenizer: &'a Tokenizer,
        stop: StopRules,
        form: ReplyForm,
        thinking_budget: Option<usize>,
        reply: &'a mut ChatReply,
        on_event: &'a mut dyn FnMut(ChatEvent) -> Control,
    ) -> Self {
        let thinking_left = thinking_budget.unwrap_or(usize::MAX);
        let (decoder, control) = (tokenizer.stream(), Control::Continue);
        Self { tokenizer, decoder, stop, form, thinking_left, reply, on_event, control }
    }

    pub(super) fn token(&mut self, id: u32) -> Control {
        if self.stop.is_eos(id) {
            return Control::Stop;
        }
        let text = self.decoder.push(id);
        let step = self.stop.push(&text);
        self.text(&step.emit);
        self.tell(ChatEvent::Token);
        if step.stopped.is_some() {
            return Control::Stop;
        }
        if self.is_thinking() {
            self.thinking_left = self.thinking_left.saturating_sub(1);
        }
        if self.budget_is_spent() { Control::Stop } else { self.control }
    }

    fn is_thinking(&self) -> bool {
        matches!(&self.form, ReplyForm::Tags(parser) if parser.is_thinking())
    }

    /// The reply was stopped inside its thoughts because they are long enough.
    pub(super) fn budget_is_spent(&self) -> bool {
        self.thinking_left == 0 && self.is_thinking() && self.control == Control::Continue
    }

    /// Ends the thoughts in the words that the model was trained on.
    pub(super) fn end_thoughts(&mut self) {
        let decoder = std::mem::replace(&mut self.decoder, self.tokenizer.stream());
        let held = self.stop.finish() + &decoder.finish();
        self.text(&held);
        if let ReplyForm::Tags(parser) = &mut self.form {
            parser.trim_thoughts();
        }
        self.text(THINKING_BUDGET_END);
    }

    fn text(&mut self, text: &str) {
        let events = self.form.push(text);
        self.events(events);
    }

    fn events(&mut self, events: Vec<ReplyEvent>) {
        for event in events {
            let event = match event {
                ReplyEvent::Reasoning(text) => {
                    self.reply.reasoning.push_str(&text);
                    ChatEvent::Reasoning { text }
                }
                ReplyEvent::Content(text) => {
                    self.reply.text.push_str(&text);
                    ChatEvent::Content { text }
                }
                ReplyEvent::ToolCall { name, arguments } => {
                    let call = ToolCall { name, arguments };
                    self.reply.tool_calls.push(call.clone());
                    ChatEvent::ToolCall(call)
                }
            };
            self.tell(event);
        }
    }

    fn tell(&mut self, event: ChatEvent) {
        if (self.on_event)(event) == Control::Stop {
            self.control = Control::Stop;
        }
    }

    pub(super) fn finish(mut self) -> Control {
        let decoder = std::mem::replace(&mut self.decoder, self.tokenizer.stream());
        let step = self.stop.push(&decoder.finish());
        let held = step.emit + &self.stop.finish();
        self.text(&held);
        let rest = self.form.finish();
        self.events(rest);
        self.control
    }
}
