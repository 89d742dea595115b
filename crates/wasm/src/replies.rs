//! Replies on their way to JavaScript, as `EngineChoiceEvent` and `EngineReplies` of `npm/src/engine-chat.ts` describe them.

use std::collections::BTreeMap;

use js_sys::Function;
use qwill::{
    ChatChoices, ChatEvent, ChatReply, ChatRequest, ChoiceEvent, CompletionLogprobs, ReplyLogprobs,
    TokenLogprob, Usage,
};
use serde::Serialize;
use wasm_bindgen::prelude::*;

use crate::abort::{Abort, AbortSignal};
use crate::convert::{qwill_error, to_js};

/// `EngineLogprobs`
#[derive(Serialize)]
#[serde(untagged)]
enum JsLogprobs {
    Chat(ReplyLogprobs),
    Completion(CompletionLogprobs),
}

/// `EngineChoiceEvent`
#[derive(Serialize)]
struct JsEvent {
    #[serde(flatten)]
    event: ChoiceEvent,
    #[serde(skip_serializing_if = "Option::is_none")]
    logprobs: Option<JsLogprobs>,
}

/// `EngineReply`
#[derive(Serialize)]
struct JsReply {
    #[serde(flatten)]
    reply: ChatReply,
    #[serde(skip_serializing_if = "Option::is_none")]
    logprobs: Option<JsLogprobs>,
}

/// `EngineReplies`
#[derive(Serialize)]
pub(crate) struct JsReplies {
    choices: Vec<JsReply>,
    usage: Usage,
}

/// In which of OpenAI's shapes replies are told.
pub(crate) enum Shape {
    /// Of a conversation.
    Chat,
    /// Of text that goes on, with the characters that each choice has so far.
    Completion(BTreeMap<usize, usize>),
}

impl Shape {
    /// The one that a request asks for.
    pub(crate) fn of(request: &ChatRequest) -> Self {
        if request.prompt.is_some() { Self::Completion(BTreeMap::new()) } else { Self::Chat }
    }

    fn event(&mut self, mut event: ChoiceEvent) -> JsEvent {
        let tokens = taken(&mut event.event);
        let logprobs = (!tokens.is_empty()).then(|| match self {
            Self::Chat => JsLogprobs::Chat(ReplyLogprobs { content: tokens }),
            Self::Completion(offsets) => {
                let offset = offsets.entry(event.index).or_default();
                JsLogprobs::Completion(CompletionLogprobs::following(offset, &tokens))
            }
        });
        JsEvent { event, logprobs }
    }

    fn reply(&self, mut reply: ChatReply) -> JsReply {
        let logprobs = reply.logprobs.take().map(|logprobs| match self {
            Self::Chat => JsLogprobs::Chat(logprobs),
            Self::Completion(_) => JsLogprobs::Completion(logprobs.completion()),
        });
        JsReply { reply, logprobs }
    }

    pub(crate) fn replies(&self, replies: Vec<ChatReply>) -> JsReplies {
        let usage = Usage::of_choices(&replies);
        JsReplies { choices: replies.into_iter().map(|reply| self.reply(reply)).collect(), usage }
    }
}

/// The log probabilities that an event tells, taken out of it.
fn taken(event: &mut ChatEvent) -> Vec<TokenLogprob> {
    match event {
        ChatEvent::Token { logprobs } => logprobs.take().into_iter().collect(),
        ChatEvent::Prompt { logprobs, .. } => std::mem::take(logprobs),
        _ => Vec::new(),
    }
}

/// Waits for replies; `on_event` hears of every piece of them. `signal` ends them, and they are what there is.
pub(crate) async fn wait_for(
    mut replies: ChatChoices,
    shape: &mut Shape,
    on_event: &Function,
    signal: AbortSignal,
) -> Result<Vec<ChatReply>, JsValue> {
    let abort = Abort::of(signal);
    loop {
        match abort.or(replies.next()).await {
            None => {
                replies.stop().map_err(qwill_error)?;
                break;
            }
            Some(None) => break,
            Some(Some(event)) => {
                let event = event.map_err(qwill_error)?;
                // told in parts already
                if !matches!(event.event, ChatEvent::ToolCall(_)) {
                    on_event.call1(&JsValue::NULL, &to_js(&shape.event(event))?)?;
                }
            }
        }
    }
    replies.replies().await.map_err(qwill_error)
}
