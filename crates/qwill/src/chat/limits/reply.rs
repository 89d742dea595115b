//! A reply on its way through what limits it: thoughts first, then the form.

use qwill_scheduler::Constraint;
use qwill_text::{Specials, Tokenizer};
use web_time::Instant;

use super::{MaskTimes, Thoughts};

/// What may follow where.
#[derive(Debug, Clone)]
pub(super) enum Form {
    /// All of the reply behind its thoughts.
    Whole(Box<dyn Constraint>),
    /// What follows a token that begins a call; everything else is free.
    Calls { begin: u32, call: Box<dyn Constraint>, most: usize },
}

/// Where a reply is.
#[derive(Debug, Clone)]
enum Place {
    /// Nothing was written yet; thoughts may begin.
    Start,
    /// In its thoughts, which may be anything but the end of the reply.
    Thoughts,
    /// Behind its thoughts; line breaks may set them apart.
    Behind,
    /// In what is limited.
    Limited(Box<dyn Constraint>),
    /// Where anything may be written, with so many calls so far.
    Free { n_calls: usize },
    /// In a call, so many came before.
    Call { matcher: Box<dyn Constraint>, n_calls: usize },
}

/// What limits a reply.
#[derive(Debug, Clone)]
pub(super) struct ReplyConstraint {
    form: Form,
    place: Place,
    tags: Tags,
    ends: Vec<u32>,
    times: MaskTimes,
}

/// Tokens that a reply is divided by, where the vocabulary has them.
#[derive(Debug, Clone)]
struct Tags {
    think: Option<u32>,
    end_think: Option<u32>,
    /// Two line breaks.
    gap: Option<u32>,
}

fn set(bits: &mut [u32], token: u32) {
    if let Some(word) = bits.get_mut(token as usize / 32) {
        *word |= 1 << (token % 32);
    }
}

fn clear(bits: &mut [u32], token: u32) {
    if let Some(word) = bits.get_mut(token as usize / 32) {
        *word &= !(1 << (token % 32));
    }
}

impl ReplyConstraint {
    pub(super) fn new(
        form: Form,
        thoughts: Thoughts,
        ends: &[u32],
        tokenizer: &Tokenizer,
        times: MaskTimes,
    ) -> Self {
        let gap = match tokenizer.encode("\n\n", Specials::AsText).as_deref() {
            Ok(&[gap]) => Some(gap),
            _ => None,
        };
        let tags = Tags { think: tokenizer.id_of("<think>"), end_think: tokenizer.id_of("</think>"), gap };
        let mut reply = Self { form, place: Place::Behind, tags, ends: ends.to_vec(), times };
        reply.place = match thoughts {
            Thoughts::Begun if reply.tags.end_think.is_some() => Place::Thoughts,
            Thoughts::Possible if reply.tags.think.is_some() => Place::Start,
            _ => reply.body(),
        };
        reply
    }

    /// Behind the thoughts and what sets them apart.
    fn body(&self) -> Place {
        match &self.form {
            Form::Whole(matcher) => Place::Limited(matcher.clone()),
            Form::Calls { .. } => Place::Free { n_calls: 0 },
        }
    }

    fn allow_here(&mut self, bits: &mut [u32]) -> Result<(), String> {
        let more = match &self.place {
            Place::Start => self.tags.think,
            Place::Behind => self.tags.gap,
            _ => None,
        };
        let mut body;
        let place = match &mut self.place {
            Place::Start | Place::Behind => {
                body = self.body();
                &mut body
            }
            place => place,
        };
        match place {
            Place::Limited(matcher) | Place::Call { matcher, .. } => {
                matcher.allow(bits)?;
            }
            Place::Thoughts => {
                bits.fill(u32::MAX);
                self.ends.iter().for_each(|&end| clear(bits, end));
            }
            Place::Free { n_calls } => {
                bits.fill(u32::MAX);
                if let Form::Calls { begin, most, .. } = &self.form
                    && *n_calls >= *most
                {
                    clear(bits, *begin);
                }
            }
            Place::Start | Place::Behind => {}
        }
        more.into_iter().for_each(|token| set(bits, token));
        Ok(())
    }

    fn is_end(&self, token: u32) -> bool {
        self.ends.contains(&token)
    }
}

impl Constraint for ReplyConstraint {
    fn is_limiting(&self) -> bool {
        match (&self.place, &self.form) {
            (Place::Free { n_calls }, Form::Calls { most, .. }) => n_calls >= most,
            (Place::Start | Place::Behind, Form::Calls { .. }) => false,
            _ => true,
        }
    }

    fn allow(&mut self, bits: &mut [u32]) -> Result<(), String> {
        let started = Instant::now();
        self.allow_here(bits)?;
        if let Ok(mut times) = self.times.lock() {
            times.push(started.elapsed().as_secs_f64() * 1e3);
        }
        Ok(())
    }

    fn take(&mut self, token: u32) -> Result<(), String> {
        if self.is_end(token) && !matches!(self.place, Place::Limited(_) | Place::Call { .. }) {
            return Ok(());
        }
        let token_is = |tag: Option<u32>| tag == Some(token);
        match &mut self.place {
            Place::Start if token_is(self.tags.think) => self.place = Place::Thoughts,
            Place::Thoughts if token_is(self.tags.end_think) => self.place = Place::Behind,
            Place::Thoughts => {}
            Place::Behind if token_is(self.tags.gap) => self.place = self.body(),
            Place::Start | Place::Behind => {
                self.place = self.body();
                return self.take(token);
            }
            Place::Limited(matcher) => matcher.take(token)?,
            Place::Free { n_calls } => {
                if let Form::Calls { begin, call, .. } = &self.form
                    && token == *begin
                {
                    self.place = Place::Call { matcher: call.clone(), n_calls: *n_calls };
                }
            }
            Place::Call { matcher, n_calls } => {
                matcher.take(token)?;
                if matcher.is_over() {
                    self.place = Place::Free { n_calls: *n_calls + 1 };
                }
            }
        }
        Ok(())
    }

    fn force(&mut self) -> Result<Vec<u32>, String> {
        match &mut self.place {
            Place::Limited(matcher) => matcher.force(),
            Place::Call { matcher, n_calls } => {
                let forced = matcher.force()?;
                if matcher.is_over() {
                    self.place = Place::Free { n_calls: *n_calls + 1 };
                }
                Ok(forced)
            }
            _ => Ok(Vec::new()),
        }
    }

    fn is_over(&self) -> bool {
        matches!(&self.place, Place::Limited(matcher) if matcher.is_over())
    }

    fn fork(&self) -> Box<dyn Constraint> {
        Box::new(self.clone())
    }
}
