//! Replies while they run: admitted, limited in time, ended with their client or the server.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use futures_core::Stream;
use qwill::{ChatChoices, ChatEvent, ChatReply, ChatRequest, ChoiceEvent, Usage};
use tokio::sync::watch;
use tokio::time::{Sleep, sleep_until, timeout_at};

use crate::app::{App, Phase};
use crate::failure::{Failure, Kind};
use crate::registry::Lease;

/// Replies to one or several requests while they run. Their choices count up, those of the first request first. Dropping it ends
/// them, which a handler's future and a stream's task do when the client goes away.
pub(crate) struct Running {
    choices: Vec<ChatChoices>,
    /// Replies to each request.
    n: usize,
    /// The request that is asked first for its next event.
    turn: usize,
    heard: Heard,
    deadline: Pin<Box<Sleep>>,
    phase: watch::Receiver<Phase>,
    is_stopped: bool,
    /// Where the conversation is kept with the reply, if it is.
    kept: Option<(usize, ChatRequest)>,
    /// The model is let go behind its replies.
    lease: Lease,
    app: Arc<App>,
}

/// How far the replies are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Heard {
    Nothing,
    Token,
    All,
}

impl Running {
    /// Starts replies to requests with the same number of choices each.
    pub(crate) async fn start(
        app: &Arc<App>,
        model: Option<&str>,
        requests: Vec<ChatRequest>,
    ) -> Result<Self, Failure> {
        let n = requests.first().and_then(|request| request.n).unwrap_or(1);
        let deadline = tokio::time::Instant::now() + app.options.request_timeout;
        let lease = app.registry.lease(model, n.saturating_mul(requests.len()).max(1));
        let lease = timeout_at(deadline, lease).await.map_err(|_| Failure::timeout())??;
        let (handle, most) = (lease.model().clone(), app.options.max_prompt_tokens);
        // Long prompts take their time to become tokens.
        let choices = app.aside(move || {
            let start = |request: &ChatRequest| {
                if let Some(most) = most {
                    check_length(handle.prompt_ids(request)?.len(), most)?;
                }
                Ok(handle.choices(request)?)
            };
            requests.iter().map(start).collect::<Result<Vec<_>, Failure>>()
        });
        let choices = choices.await?;
        Ok(Self {
            choices,
            n,
            turn: 0,
            heard: Heard::Nothing,
            deadline: Box::pin(sleep_until(deadline)),
            phase: app.phase.subscribe(),
            is_stopped: false,
            kept: None,
            lease,
            app: app.clone(),
        })
    }

    /// Keeps the conversation with its first reply under a number.
    pub(crate) fn keeping(mut self, kept: Option<(usize, ChatRequest)>) -> Self {
        self.kept = kept;
        self
    }

    /// What requests call the model.
    pub(crate) fn model(&self) -> &str {
        self.lease.name()
    }

    /// Tokens of all prompts.
    pub(crate) fn prompt_tokens(&self) -> usize {
        self.choices.iter().map(ChatChoices::prompt_tokens).sum()
    }

    /// Replies in all.
    pub(crate) fn n_choices(&self) -> usize {
        self.choices.len() * self.n
    }

    /// The next event, when it is there; `None` when all replies are done.
    pub(crate) async fn next(&mut self) -> Result<Option<ChoiceEvent>, Failure> {
        loop {
            let Self { choices, n, turn, phase, deadline, is_stopped, .. } = self;
            let is_ending = phase.wait_for(|phase| *phase == Phase::Ending);
            let event = tokio::select! {
                biased;
                event = poll_fn(|context| poll_any(choices, *n, turn, context)) => event,
                () = deadline => return Err(Failure::timeout()),
                _ = is_ending, if !*is_stopped => {
                    *is_stopped = true;
                    choices.iter_mut().try_for_each(ChatChoices::stop)?;
                    continue;
                }
            };
            let event = event.transpose()?;
            if let (Heard::Nothing, Some(ChatEvent::Token { .. })) =
                (self.heard, event.as_ref().map(|event| &event.event))
            {
                self.heard = Heard::Token;
                self.app.metrics.first_token(self.lease.since().elapsed());
            }
            return Ok(event);
        }
    }

    /// The whole replies, when all are done.
    pub(crate) async fn replies(mut self) -> Result<Vec<ChatReply>, Failure> {
        while self.next().await?.is_some() {}
        let mut replies = Vec::with_capacity(self.n_choices());
        for choices in std::mem::take(&mut self.choices) {
            let of_one = choices.replies().await?;
            let after = Instant::now() - self.lease.since();
            self.app.metrics.replied(self.lease.name(), Usage::of_choices(&of_one), after);
            replies.extend(of_one);
        }
        self.heard = Heard::All;
        if let (Some((id, request)), Some(reply)) = (self.kept.take(), replies.first()) {
            let mut session = self.lease.model().session(request);
            session.take(reply)?;
            self.lease.slot().keep(id, session)?;
        }
        Ok(replies)
    }

    /// The only reply, when it is done.
    pub(crate) async fn reply(self) -> Result<ChatReply, Failure> {
        self.replies().await?.pop().ok_or_else(|| Failure::internal("there is no reply"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.heard != Heard::All {
            self.app.metrics.broken_off(self.lease.name());
        }
    }
}

fn poll_any(
    all: &mut [ChatChoices],
    n: usize,
    turn: &mut usize,
    context: &mut Context<'_>,
) -> Poll<Option<Result<ChoiceEvent, qwill::Error>>> {
    let (count, first) = (all.len(), *turn);
    let mut are_done = true;
    for at in (first..first + count).map(|i| i % count) {
        match Pin::new(&mut all[at]).poll_next(context) {
            Poll::Ready(Some(event)) => {
                *turn = at + 1;
                return Poll::Ready(Some(
                    event.map(|event| ChoiceEvent { index: at * n + event.index, ..event }),
                ));
            }
            Poll::Ready(None) => {}
            Poll::Pending => are_done = false,
        }
    }
    if are_done { Poll::Ready(None) } else { Poll::Pending }
}

/// Refuses prompts beyond the server's own limit.
pub(crate) fn check_length(n_tokens: usize, most: usize) -> Result<(), Failure> {
    if n_tokens <= most {
        return Ok(());
    }
    let message = format!("the prompt has {n_tokens} tokens, but this server allows {most}");
    Err(Failure::new(Kind::PromptTooLong, message))
}

/// The tokens of replies to several requests with `n` choices each: prompts count once.
pub(crate) fn usage_of(replies: &[ChatReply], n: usize) -> Usage {
    replies.chunks(n.max(1)).map(Usage::of_choices).fold(Usage::default(), |sum, one| Usage {
        prompt_tokens: sum.prompt_tokens + one.prompt_tokens,
        completion_tokens: sum.completion_tokens + one.completion_tokens,
        cached_tokens: sum.cached_tokens + one.cached_tokens,
        reasoning_tokens: sum.reasoning_tokens + one.reasoning_tokens,
    })
}
