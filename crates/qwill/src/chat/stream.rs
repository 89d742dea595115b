//! A reply while it is made.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use qwill_models::step::Sampled;
use qwill_scheduler::{End, Rows, Wanted, What};
use qwill_text::{Specials, THINKING_BUDGET_END, Tokenizer};

use super::limits::MaskTimes;
use super::reader::{Extent, ReplyReader, Verdict};
use super::{ChatEvent, ChatReply, FinishReason, ReplyLogprobs, TokenLogprob, Usage};
use crate::driver::Signals;
use crate::requests::{Generation, Reading};
use crate::spread::median;
use crate::timings::Clock;
use crate::{Control, Error, Model, Timings};

/// A reply while it is made: a stream of its events, which waits without blocking, natively and in browsers. Dropping it
/// ends the reply at once.
#[must_use = "a reply that nobody waits for is ended"]
pub struct ChatStream {
    model: Model,
    /// Of what runs; none when the reply is done.
    signals: Option<Signals>,
    /// What runs, for going on behind thoughts that were ended.
    generation: Generation,
    max_tokens: usize,
    reader: ReplyReader,
    clock: Clock,
    ids: Vec<u32>,
    n_cached: Option<usize>,
    /// The prompt, until it was echoed, with what is known of its tokens.
    echo: Option<(String, Vec<TokenLogprob>)>,
    finish_reason: FinishReason,
    /// The thoughts are as long as they may be, and the answer follows when all of them are told.
    has_thought_enough: bool,
    /// How long the lists of allowed tokens took, if there are any.
    mask_times: Option<MaskTimes>,
}

impl std::fmt::Debug for ChatStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChatStream").field("text", &self.reader.text).finish_non_exhaustive()
    }
}

impl ChatStream {
    /// Starts a reply to a prompt.
    pub(super) fn start(
        model: &Model,
        generation: Generation,
        max_tokens: usize,
        reader: ReplyReader,
        echoed: Option<&str>,
        mask_times: Option<MaskTimes>,
    ) -> Result<Self, Error> {
        let mut stream = Self {
            model: model.clone(),
            signals: None,
            generation,
            max_tokens,
            reader,
            clock: Clock::start(),
            ids: Vec::new(),
            n_cached: None,
            echo: echoed.map(|text| (text.to_owned(), Vec::new())),
            finish_reason: FinishReason::Length,
            has_thought_enough: false,
            mask_times,
        };
        match (&stream.echo, stream.generation.logprobs) {
            (Some(_), Some(n_top)) => stream.read_prompt(n_top)?,
            _ => stream.begin()?,
        }
        Ok(stream)
    }

    /// Reads the prompt for its log probabilities; the reply begins behind it.
    fn read_prompt(&mut self, n_top: u8) -> Result<(), Error> {
        let Generation { prompt, adapters, .. } = &self.generation;
        if let (Some((_, told)), Some(&first)) = (&mut self.echo, prompt.first()) {
            told.push(TokenLogprob::new(self.model.tokenizer()?, first, None));
        }
        if prompt.len() < 2 {
            return self.begin();
        }
        let reading = Reading {
            ids: prompt.clone(),
            adapters: adapters.clone(),
            chunk: None,
            rows: Rows::Every,
            want: Wanted::Logprobs(n_top),
        };
        self.model.check_generates()?;
        self.signals = Some(self.model.start_reading(reading)?);
        Ok(())
    }

    /// Begins the reply, with the prompt if it is echoed.
    fn begin(&mut self) -> Result<(), Error> {
        if let Some((text, logprobs)) = self.echo.take() {
            self.reader.echo(text, logprobs);
        }
        if self.max_tokens == 0 {
            return self.end(FinishReason::Length);
        }
        self.signals = Some(self.model.generate(self.generation.clone())?);
        Ok(())
    }

    /// The next event, when it is there; `None` when the reply is done. [`Model::chat`] has an example; the methods of
    /// `futures::StreamExt` work too.
    pub async fn next(&mut self) -> Option<Result<ChatEvent, Error>> {
        poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }

    /// Tokens of the prompt.
    pub fn prompt_tokens(&self) -> usize {
        self.generation.prompt.len()
    }

    /// Ends the reply here; what there is of it is its text, and [`FinishReason::Aborted`] says so.
    ///
    /// ```no_run
    /// # async fn example(model: &qwill::Model) -> Result<(), qwill::Error> {
    /// let mut stream = model.chat(&qwill::ChatRequest::user("Tell me a story."))?;
    /// stream.next().await;
    /// stream.stop()?;
    /// println!("{} …", stream.reply().await?.text);
    /// # Ok(()) }
    /// ```
    pub fn stop(&mut self) -> Result<(), Error> {
        if self.signals.is_some() { self.end(FinishReason::Aborted) } else { Ok(()) }
    }

    /// The whole reply, when it is done; also behind the last event.
    ///
    /// ```no_run
    /// # async fn example(model: &qwill::Model) -> Result<(), qwill::Error> {
    /// let reply = model.chat(&qwill::ChatRequest::user("Hi"))?.reply().await?;
    /// println!("{}", reply.text);
    /// # Ok(()) }
    /// ```
    pub async fn reply(mut self) -> Result<ChatReply, Error> {
        while self.next().await.transpose()?.is_some() {}
        let Self { model, clock, reader, generation, ids, n_cached, finish_reason, mask_times, .. } = self;
        let usage = Usage {
            prompt_tokens: generation.prompt.len(),
            completion_tokens: ids.len(),
            cached_tokens: n_cached.unwrap_or(0),
            reasoning_tokens: reader.n_thought,
        };
        let timings = clock.timings(usage.prompt_tokens - usage.cached_tokens);
        let content = reader.logprobs;
        Ok(ChatReply {
            text: reader.text,
            reasoning: reader.reasoning,
            tool_calls: reader.tool_calls,
            finish_reason,
            stop_string: reader.stop_string,
            usage,
            ids,
            logprobs: generation.logprobs.map(|_| ReplyLogprobs { content }),
            timings: Timings { load_ms: model.load_ms(), mask_ms: mask_times.and_then(median_of), ..timings },
        })
    }

    /// The whole reply, telling `on_event` about every piece of it, which may stop it. [`Model::chat_with`] has an example.
    pub async fn reply_with(
        mut self,
        mut on_event: impl FnMut(ChatEvent) -> Control,
    ) -> Result<ChatReply, Error> {
        while let Some(event) = self.next().await.transpose()? {
            if on_event(event) == Control::Stop {
                self.stop()?;
            }
        }
        self.reply().await
    }

    fn end(&mut self, reason: FinishReason) -> Result<(), Error> {
        self.signals = None;
        let extent = if reason == FinishReason::Stop { Extent::Whole } else { Extent::CutOff };
        self.reader.finish(self.model.tokenizer()?, extent);
        self.finish_reason = match reason {
            FinishReason::Stop if !self.reader.tool_calls.is_empty() => FinishReason::ToolCalls,
            other => other,
        };
        Ok(())
    }

    fn take(&mut self, what: What) -> Result<(), Error> {
        match what {
            What::Started { n_cached } => {
                self.n_cached.get_or_insert(n_cached);
            }
            What::Progress { n_read, n_tokens } if n_read < n_tokens && self.ids.is_empty() => {
                self.reader.events.push_back(ChatEvent::Progress { n_read, n_tokens });
            }
            What::Progress { .. } | What::Scores { .. } | What::State { .. } => {}
            What::Logprobs { row, logprobs } => {
                let tokenizer = self.model.tokenizer()?;
                if let (Some((_, told)), Some(&id)) = (&mut self.echo, self.generation.prompt.get(row + 1)) {
                    told.push(TokenLogprob::new(tokenizer, id, Some(logprobs)));
                }
            }
            What::Token(Sampled { id, logprobs }) => {
                self.clock.token();
                self.ids.push(id);
                let tokenizer = self.model.tokenizer()?;
                let logprobs = logprobs.map(|logprobs| TokenLogprob::new(tokenizer, id, Some(logprobs)));
                match self.reader.token(id, logprobs) {
                    Verdict::GoesOn => {}
                    Verdict::Ends => self.end(FinishReason::Stop)?,
                    Verdict::ThoughtEnough => self.has_thought_enough = true,
                }
            }
            What::Guessed { n_guessed, n_right } => self.clock.guessed(n_guessed, n_right),
            What::Broken { reason } => {
                return Err(broken(&reason));
            }
            What::Finished(_) if self.echo.is_some() => self.begin()?,
            What::Finished(End::Complete) => self.end(FinishReason::Stop)?,
            What::Finished(_) => self.end(FinishReason::Length)?,
        }
        Ok(())
    }

    /// Ends the thoughts, and lets the answer follow.
    fn go_on_behind_thoughts(&mut self) -> Result<(), Error> {
        self.has_thought_enough = false;
        let tokenizer = self.model.tokenizer()?;
        self.reader.end_thoughts(tokenizer);
        end_thoughts(tokenizer, &mut self.ids)?;
        self.reader.n_thought = self.ids.len();
        let context = [&self.generation.prompt[..], &self.ids].concat();
        let left = self.max_tokens.saturating_sub(self.ids.len());
        if left == 0 || context.len() >= self.model.facts().engine.context_length {
            return self.end(FinishReason::Length);
        }
        let mut constraint = self.generation.constraint.clone();
        if let Some(constraint) = &mut constraint {
            let taken = self.ids.iter().try_for_each(|&id| constraint.take(id));
            taken.map_err(|reason| broken(&reason))?;
        }
        let generation = Generation {
            prompt: context,
            constraint,
            max_tokens: left,
            // the same seed would draw the same numbers again
            seed: self.generation.seed.wrapping_add(1),
            ..self.generation.clone()
        };
        self.signals = Some(self.model.generate(generation)?);
        Ok(())
    }
}

impl Stream for ChatStream {
    type Item = Result<ChatEvent, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            if let Some(event) = this.reader.events.pop_front() {
                return Poll::Ready(Some(Ok(event)));
            }
            let taken = match &mut this.signals {
                None => return Poll::Ready(None),
                Some(_) if this.has_thought_enough => this.go_on_behind_thoughts(),
                Some(signals) => match Pin::new(signals).poll_next(context) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Some(Ok(what))) => this.take(what),
                    Poll::Ready(Some(Err(error))) => Err(error),
                    Poll::Ready(None) => Err(Error::ended()),
                },
            };
            if let Err(error) = taken {
                this.signals = None;
                return Poll::Ready(Some(Err(error)));
            }
        }
    }
}

fn broken(reason: &str) -> Error {
    Error::Request(format!("what limits the reply cannot go on: {reason}"))
}

fn median_of(times: MaskTimes) -> Option<f64> {
    let times = times.lock().ok()?.clone();
    (!times.is_empty()).then(|| median(times.into_iter()))
}

/// Ends thoughts that have used up their budget: takes their last line breaks away, which may be a part of a token,
/// and appends the sentence that the model was trained on.
fn end_thoughts(tokenizer: &Tokenizer, ids: &mut Vec<u32>) -> Result<(), Error> {
    let mut kept = String::new();
    while let Some(bytes) =
        ids.last().and_then(|&id| tokenizer.token_bytes(id)).filter(|b| b.ends_with(b"\n"))
    {
        ids.pop();
        let text = String::from_utf8_lossy(&bytes);
        kept = text.trim_end_matches('\n').to_owned();
        if !kept.is_empty() {
            break;
        }
    }
    ids.extend(tokenizer.encode(&(kept + THINKING_BUDGET_END), Specials::Parse)?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use qwill_text::SpecialsOut;

    use super::*;

    #[test]
    fn cut_thoughts_lose_their_line_breaks_and_nothing_else() {
        let file = include_bytes!("../../../../tests/golden/tokenizers/tokenizer.json");
        let tokenizer = Tokenizer::from_json(file, None).unwrap();
        for text in ["hm.\n\n", "let (a) {\n", "def f()\n\n\n", "\n\n", "", "one\n two", "字\n"] {
            let mut ids = tokenizer.encode(text, Specials::AsText).unwrap();
            let n = ids.len();
            end_thoughts(&tokenizer, &mut ids).unwrap();
            let kept = text.trim_end_matches('\n');
            assert_eq!(tokenizer.decode(&ids, SpecialsOut::Keep), format!("{kept}{THINKING_BUDGET_END}"));
            assert!(ids.len() > n, "{text:?}");
        }
        // Some of these tokens end in a line break without being one.
        let mixed = tokenizer.encode(" {\n", Specials::AsText).unwrap();
        assert_eq!(mixed.len(), 1);
    }
}
