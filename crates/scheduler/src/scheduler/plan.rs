//! What the texts that run do in a step.

use qwill_models::step::Step;

use super::Scheduler;
use crate::limits::Limits;
use crate::request::RequestId;
use crate::running::Budget;
use crate::sequence::Part;

/// A step in the making.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) step: Step,
    pub(super) budget: Budget,
    parts: Vec<(RequestId, Part)>,
    /// Texts with a later turn are part of it.
    pub(super) turn: u64,
}

impl Plan {
    pub(super) fn new(limits: &Limits, turn: u64, n_guesses: usize) -> Self {
        let budget = Budget { n_tokens: limits.chunk, n_outputs: limits.max_outputs, n_guesses };
        Self { step: Step::default(), budget, parts: Vec::new(), turn }
    }
}

impl Scheduler {
    /// Texts that read what was drawn for them get it, the oldest first. Where pages run out, the youngest of those that run goes
    /// back to waiting; it has no part in the step yet.
    pub(super) fn go_on(&mut self, plan: &mut Plan) {
        let ids: Vec<RequestId> = self.running.keys().copied().collect();
        for id in ids {
            while let Some(text) = self.running.get_mut(&id).filter(|text| text.goes_on()) {
                let last = text.n_read + text.n_unread() - 1;
                if self.memory.reserve(&mut text.table, last) {
                    let mut guess = text.guess(&plan.budget);
                    if !self.memory.reserve(&mut text.table, last + guess.len()) {
                        guess.clear();
                    }
                    self.give_turn(id, plan, guess);
                    break;
                }
                self.displace_youngest();
            }
        }
    }

    fn displace_youngest(&mut self) {
        if let Some((id, text)) = self.running.pop_last() {
            self.vacate(&text);
            self.waiting.insert(id, text.sequence);
        }
    }

    /// What is left of the step goes to texts that are to be read, those that had nothing for longest first.
    pub(super) fn read(&mut self, plan: &mut Plan) {
        let is_left_out = |turn: u64| turn <= plan.turn;
        let mut turns: Vec<(u64, RequestId)> = self
            .running
            .iter()
            .map(|(&id, text)| (text.turn, id))
            .filter(|&(turn, _)| is_left_out(turn))
            .collect();
        turns.sort_unstable();
        for (_, id) in turns {
            self.give_turn(id, plan, Vec::new());
        }
    }

    /// A text gets as much of the step as it needs and is left, and reads what is guessed behind that.
    pub(super) fn give_turn(&mut self, id: RequestId, plan: &mut Plan, guess: Vec<u32>) {
        let Some(text) = self.running.get_mut(&id) else { return };
        if let Some((span, part)) = text.span(&mut plan.budget, guess) {
            self.turn += 1;
            text.turn = self.turn;
            plan.step.spans.push(span);
            plan.parts.push((id, part));
        }
    }

    /// From here on, what the step reads counts as read.
    pub(super) fn hand_out(&mut self, plan: Plan) -> Option<Step> {
        self.memory.end_copies();
        if plan.step.spans.is_empty() {
            debug_assert!(plan.step.begins.is_empty(), "a text that got a place got no token");
            return None;
        }
        let is_of_use = !self.reads_whole_texts();
        for &(id, _) in &plan.parts {
            let Some(text) = self.running.get_mut(&id) else { continue };
            if is_of_use {
                text.index(&mut self.memory);
            }
            if text.sequence.is_read()
                && let Some(text) = self.running.remove(&id)
            {
                self.vacate(&text);
                self.leaving.insert(id, text.sequence);
            }
        }
        self.out.push_back(plan.parts);
        Some(plan.step)
    }
}
