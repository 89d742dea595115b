//! Several replies to one request.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use serde::Serialize;

use super::{ChatEvent, ChatReply, ChatStream, Usage};
use crate::{Control, Error};

/// Replies to one request while they are made: a stream of the events of all of them, in no fixed order. Dropping it ends
/// them at once.
#[derive(Debug)]
#[must_use = "replies that nobody waits for are ended"]
pub struct ChatChoices {
    streams: Vec<ChatStream>,
    /// The stream that is asked first.
    turn: usize,
}

/// Something happened while one of several replies was made.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ChoiceEvent {
    /// Which reply, from 0.
    pub index: usize,
    /// What.
    #[serde(flatten)]
    pub event: ChatEvent,
}

impl ChatChoices {
    /// Of replies that were started.
    pub(super) fn new(streams: Vec<ChatStream>) -> Self {
        Self { streams, turn: 0 }
    }

    /// The next event, when it is there; `None` when all replies are done.
    pub async fn next(&mut self) -> Option<Result<ChoiceEvent, Error>> {
        poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }

    /// Tokens of the prompt, which all have in common.
    pub fn prompt_tokens(&self) -> usize {
        self.streams.first().map_or(0, ChatStream::prompt_tokens)
    }

    /// Ends all replies here.
    pub fn stop(&mut self) -> Result<(), Error> {
        self.streams.iter_mut().try_for_each(ChatStream::stop)
    }

    /// The whole replies by their index, when all are done.
    pub async fn replies(mut self) -> Result<Vec<ChatReply>, Error> {
        while self.next().await.transpose()?.is_some() {}
        let mut replies = Vec::with_capacity(self.streams.len());
        for stream in self.streams {
            replies.push(stream.reply().await?);
        }
        Ok(replies)
    }

    /// The whole replies, telling `on_event` about every piece of them, which may stop them.
    pub async fn replies_with(
        mut self,
        mut on_event: impl FnMut(ChoiceEvent) -> Control,
    ) -> Result<Vec<ChatReply>, Error> {
        while let Some(event) = self.next().await.transpose()? {
            if on_event(event) == Control::Stop {
                self.stop()?;
            }
        }
        self.replies().await
    }
}

impl From<ChatStream> for ChatChoices {
    /// The only reply.
    fn from(stream: ChatStream) -> Self {
        Self::new(vec![stream])
    }
}

impl Stream for ChatChoices {
    type Item = Result<ChoiceEvent, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let (n, turn) = (self.streams.len(), self.turn);
        let mut is_done = true;
        for index in (turn..turn + n).map(|i| i % n) {
            match Pin::new(&mut self.streams[index]).poll_next(context) {
                Poll::Ready(Some(event)) => {
                    self.turn = index + 1;
                    return Poll::Ready(Some(event.map(|event| ChoiceEvent { index, event })));
                }
                Poll::Ready(None) => {}
                Poll::Pending => is_done = false,
            }
        }
        if is_done { Poll::Ready(None) } else { Poll::Pending }
    }
}

impl Usage {
    /// Of all replies to one request: its prompt counts once.
    pub fn of_choices(replies: &[ChatReply]) -> Self {
        let completion_tokens = replies.iter().map(|reply| reply.usage.completion_tokens).sum();
        let reasoning_tokens = replies.iter().map(|reply| reply.usage.reasoning_tokens).sum();
        let first = replies.first().map_or_else(Self::default, |reply| reply.usage);
        Self { completion_tokens, reasoning_tokens, ..first }
    }
}
