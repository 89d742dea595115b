//! Which texts get a place.

use qwill_models::step::PAGE;

use super::{Plan, Scheduler};
use crate::memory::Room;
use crate::prefix::Reached;
use crate::request::RequestId;
use crate::running::Running;
use crate::sequence::{Sequence, Work};

/// Whether a text may get a place.
enum Verdict {
    /// It has these pages.
    Now(Room),
    /// Another reads what it begins with.
    Later,
    /// Something is scarce; those behind it must not take it away.
    Stop,
}

impl Scheduler {
    /// Waiting texts get places while there are any, the oldest first.
    pub(super) fn admit(&mut self, plan: &mut Plan) {
        let ids: Vec<RequestId> = self.waiting.keys().copied().collect();
        for id in ids {
            let Some(&slot) = self.slots.last() else { return };
            let room = match self.judge(id, plan) {
                Verdict::Now(room) => room,
                Verdict::Later => continue,
                Verdict::Stop => return,
            };
            let Some(sequence) = self.waiting.remove(&id) else { return };
            self.slots.pop();
            let Room { table, n_cached, copy } = room;
            let n_known = sequence.tokens.len();
            let text =
                Running { sequence, slot, table, n_cached, n_read: n_cached, n_known, turn: plan.turn };
            plan.step.begins.push(text.begin(self.limits.vocab_size));
            plan.step.copies.extend(copy);
            self.running.insert(id, text);
            if self.reads_whole_texts() {
                self.give_turn(id, plan, Vec::new());
            }
        }
    }

    fn judge(&mut self, id: RequestId, plan: &Plan) -> Verdict {
        let sequence = &self.waiting[&id];
        let n_tokens = sequence.tokens.len();
        let room = if self.reads_whole_texts() {
            if !fits(sequence, plan) {
                return Verdict::Stop;
            }
            self.memory.occupy(&Reached::default(), n_tokens, 0)
        } else {
            if sequence.n_ahead() > 0 {
                // its tokens are not known yet
                return Verdict::Stop;
            }
            let reached = self.memory.find(&sequence.key, &sequence.tokens[..sequence.n_reusable()]);
            if self.is_being_read(id, sequence, reached.n_tokens()) {
                return Verdict::Later;
            }
            // those that run must not have to give way at once
            self.memory.occupy(&reached, n_tokens, self.n_growing())
        };
        room.map_or(Verdict::Stop, Verdict::Now)
    }

    /// Texts that run and will need more pages.
    pub(super) fn n_growing(&self) -> usize {
        self.running.values().filter(|text| text.will_grow()).count()
    }

    /// Whether waiting for an older text saves a page, or half of what would have to be read.
    fn is_being_read(&self, id: RequestId, sequence: &Sequence, n_reached: usize) -> bool {
        let worth_while = PAGE.min((sequence.n_reusable() - n_reached).div_ceil(2)).max(1);
        self.running.range(..id).any(|(_, text)| text.will_give(sequence) >= n_reached + worth_while)
    }
}

/// Whether a step has room for a text that must run in one.
fn fits(sequence: &Sequence, plan: &Plan) -> bool {
    let n_tokens = sequence.tokens.len();
    let n_outputs = match &sequence.work {
        Work::Generate { .. } => 1,
        Work::Read { rows, want, .. } => rows.count(want.n_rows(n_tokens)),
    };
    n_tokens <= plan.budget.n_tokens && n_outputs <= plan.budget.n_outputs
}
