//! Requests in, steps out; answers in, events out.

mod admission;
mod keep;
mod plan;

use std::collections::{BTreeMap, VecDeque};

use qwill_models::step::{Among, Answer, Slot, Step};

use crate::event::{Event, Usage, What};
use crate::limits::{BadLimits, Limits, Reading};
use crate::memory::Memory;
use crate::request::{Refused, Request, RequestId};
use crate::running::Running;
use crate::sequence::{Part, Sequence};
pub use keep::{Adopted, Text};
use plan::Plan;

/// Requests by age, the oldest first.
type ByAge<T> = BTreeMap<RequestId, T>;

/// Decides what runs next, when many texts share one model.
///
/// Steps must be run in the order in which [`Self::next`] gives them, and [`Self::take`] gets their answers in that
/// order; any number of them may be out.
pub struct Scheduler {
    limits: Limits,
    class: Box<dyn Fn(usize) -> u64 + Send>,
    memory: Memory,
    slots: Vec<Slot>,
    waiting: ByAge<Sequence>,
    running: ByAge<Running>,
    /// Texts without a place, of which only answers are missing.
    leaving: ByAge<Sequence>,
    /// What the steps that are out do, the oldest first.
    out: VecDeque<Vec<(RequestId, Part)>>,
    n_requests: u64,
    turn: u64,
}

impl Scheduler {
    /// Nothing to do yet. `class` tells for a prompt's length what its text's angles depend on besides positions, see
    /// [`Rope::prompt_class`](qwill_models::Rope::prompt_class).
    ///
    /// # Errors
    /// If there could be texts that fit the context but can never run.
    pub fn new(limits: Limits, class: impl Fn(usize) -> u64 + Send + 'static) -> Result<Self, BadLimits> {
        limits.check()?;
        Ok(Self {
            limits,
            class: Box::new(class),
            memory: Memory::new(limits.n_pages),
            slots: all_slots(&limits),
            waiting: ByAge::new(),
            running: ByAge::new(),
            leaving: ByAge::new(),
            out: VecDeque::new(),
            n_requests: 0,
            turn: 0,
        })
    }

    /// A request waits for its turn from now on.
    ///
    /// # Errors
    /// If it can never be done.
    pub fn add(&mut self, request: Request) -> Result<RequestId, Refused> {
        request.check(&self.limits)?;
        let class = (self.class)(request.n_prompt);
        let id = RequestId(self.n_requests);
        self.n_requests += 1;
        self.waiting.insert(id, Sequence::new(request, class, &self.limits));
        Ok(id)
    }

    /// Ends a request, whatever its state, because nobody wants more of it. What it held is free at once, and no event
    /// of it follows, though steps that are out may still answer it. Later texts can begin with what was read for it
    /// and drawn. Whether there was such a request.
    pub fn finish(&mut self, id: RequestId) -> bool {
        if let Some(text) = self.running.remove(&id) {
            self.vacate(&text);
            return true;
        }
        self.waiting.remove(&id).is_some() || self.leaving.remove(&id).is_some()
    }

    /// What to run next, or `None` if nothing can be: there is nothing to do, or it needs the answers of steps that are
    /// out.
    ///
    /// What generates gets a token each, then what is to be read shares the rest in turns.
    #[expect(clippy::should_implement_trait, reason = "it is not over when there is nothing to do for now")]
    pub fn next(&mut self) -> Option<Step> {
        let mut plan = Plan::new(&self.limits, self.turn, self.n_guesses());
        self.go_on(&mut plan);
        self.admit(&mut plan);
        self.read(&mut plan);
        self.hand_out(plan)
    }

    /// The tokens that may be drawn by the step that [`Self::next`] gave last, for each of its outputs that are drawn
    /// [among listed tokens](Among::Listed), in their order: `n_words` words, a bit a token, the lowest first. Making them takes
    /// time in which the step can run.
    pub fn lists(&mut self, n_words: usize) -> Vec<Vec<u32>> {
        let parts = self.out.back().into_iter().flatten();
        let listed = parts.filter(|(_, part)| part.among == Among::Listed);
        let ids: Vec<RequestId> = listed.map(|&(id, _)| id).collect();
        let bits = |id| self.sequence(id).map_or_else(|| vec![0; n_words], |text| text.allow(n_words));
        ids.into_iter().map(bits).collect()
    }

    /// Takes the answers of the oldest step that is out, one for each of its outputs, and tells what came of them.
    pub fn take(&mut self, answers: Vec<Answer>) -> Vec<Event> {
        let parts = self.out.pop_front().unwrap_or_default();
        let has_room = self.n_guesses() > 0;
        let n_asked: usize = parts.iter().map(|(_, part)| part.rows.len()).sum();
        debug_assert_eq!(n_asked, answers.len(), "answers of another step");
        let mut answers = answers.into_iter();
        let mut events = Vec::new();
        for (id, part) in parts {
            let of_part = answers.by_ref().take(part.rows.len());
            let Some(sequence) = self.sequence(id) else {
                of_part.for_each(drop);
                continue;
            };
            events.extend(sequence.accept(&part, of_part).into_iter().map(|what| Event { id, what }));
            let end = sequence.end();
            if has_room {
                sequence.look_for_guess();
            }
            if let Some(text) = self.running.get_mut(&id) {
                if !part.guess.is_empty() {
                    text.drop_wrong_guess();
                }
                text.index(&mut self.memory);
            }
            if let Some(end) = end {
                self.finish(id);
                events.push(Event { id, what: What::Finished(end) });
            }
        }
        events
    }

    /// The device is gone, with all pages, and the steps that are out will not be answered: every text starts again
    /// with the tokens that are known. It gets the tokens that it would have got.
    pub fn lose_device(&mut self) {
        self.out.clear();
        self.memory = Memory::new(self.limits.n_pages);
        self.slots = all_slots(&self.limits);
        let running = std::mem::take(&mut self.running);
        self.waiting.extend(running.into_iter().map(|(id, text)| (id, text.sequence)));
        self.waiting.append(&mut self.leaving);
        self.waiting.values_mut().for_each(Sequence::forget_asked);
    }

    /// What is in use.
    pub fn usage(&self) -> Usage {
        Usage {
            n_used: self.memory.n_used(),
            n_shared: self.memory.n_shared(),
            n_cached: self.memory.n_cached(),
            n_free: self.memory.n_free(),
            n_running: self.running.len(),
            n_waiting: self.waiting.len(),
            n_steps: self.out.len(),
        }
    }

    /// Tokens that may be guessed in a step: as many as texts could run that are not there.
    fn n_guesses(&self) -> usize {
        self.limits.n_slots.saturating_sub(self.running.len() + self.waiting.len())
    }

    fn sequence(&mut self, id: RequestId) -> Option<&mut Sequence> {
        let placed = self.running.get_mut(&id).map(|text| &mut text.sequence);
        placed.or_else(|| self.waiting.get_mut(&id)).or_else(|| self.leaving.get_mut(&id))
    }

    /// Slot and pages of a text are there for others.
    fn vacate(&mut self, text: &Running) {
        self.memory.release(&text.table);
        self.slots.push(text.slot);
    }

    fn reads_whole_texts(&self) -> bool {
        self.limits.reading == Reading::WholeText
    }
}

fn all_slots(limits: &Limits) -> Vec<Slot> {
    (0..limits.n_slots as Slot).rev().collect()
}
