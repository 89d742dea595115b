//! A text that has a slot and pages.

use qwill_models::step::{Among, Begin, Output, PAGE, Sampler, Slot, Source, Span, Want};

use crate::memory::{Memory, Table};
use crate::prefix::common;
use crate::sequence::{Part, Sequence, Work};

/// A text that has a slot and pages.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) sequence: Sequence,
    pub(crate) slot: Slot,
    pub(crate) table: Table,
    /// Tokens that were in the cache when it got its place.
    pub(crate) n_cached: usize,
    /// Tokens in the cache when the steps that are out have run.
    pub(crate) n_read: usize,
    /// Tokens that were known when it got its place.
    pub(crate) n_known: usize,
    /// When it got tokens last: those whose turn is longest ago come first.
    pub(crate) turn: u64,
}

/// What may still be added to a step.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Budget {
    pub(crate) n_tokens: usize,
    pub(crate) n_outputs: usize,
    /// Tokens that are guessed: each takes the place of a text that could run.
    pub(crate) n_guesses: usize,
}

impl Running {
    /// How its slot gets a new owner.
    pub(crate) fn begin(&self, vocab_size: usize) -> Begin {
        let Sequence { tokens, n_prompt, work, .. } = &self.sequence;
        let (sampler, bias) = match work {
            Work::Generate { sampler, bias, .. } => (*sampler, bias.clone()),
            Work::Read { .. } => (Sampler::greedy(vocab_size as u32), Vec::new()),
        };
        let (prompt, drawn) =
            if sampler.has_penalties() { tokens.split_at(*n_prompt) } else { (&[][..], &[][..]) };
        Begin { slot: self.slot, sampler, bias, prompt: prompt.to_vec(), drawn: drawn.to_vec() }
    }

    /// Whether it will need more pages than it has.
    pub(crate) fn will_grow(&self) -> bool {
        self.table.pages().len() < self.sequence.n_final().div_ceil(PAGE)
    }

    /// How many tokens it can read next.
    pub(crate) fn n_unread(&self) -> usize {
        self.sequence.n_unread(self.n_read)
    }

    /// Whether it has read what it was given, and reads what was drawn for it since.
    pub(crate) fn goes_on(&self) -> bool {
        match self.n_unread() {
            0 => false,
            1 => true,
            // tokens that had to follow
            _ => self.n_read >= self.n_known,
        }
    }

    /// Tokens were drawn: of those that were guessed, the wrong ones are not in the cache.
    pub(crate) fn drop_wrong_guess(&mut self) {
        self.n_read = self.n_read.min(self.sequence.tokens.len() - 1);
    }

    /// Tokens that may be read behind the one that is known.
    pub(crate) fn guess(&mut self, budget: &Budget) -> Vec<u32> {
        if self.n_unread() != 1 {
            return Vec::new();
        }
        let room = budget.n_tokens.min(budget.n_outputs).min(self.sequence.chunk).saturating_sub(1);
        self.sequence.guess(budget.n_guesses.min(room))
    }

    /// What it does next, with what is guessed behind it, as far as the budget goes, which gets smaller.
    pub(crate) fn span(&mut self, budget: &mut Budget, guess: Vec<u32>) -> Option<(Span, Part)> {
        let (from, most) = (self.n_read, self.n_unread().min(budget.n_tokens).min(self.sequence.chunk));
        if most == 0 {
            return None;
        }
        let is_known = self.sequence.n_ahead() == 0;
        let (mut outputs, to) = self.sequence.ask(from, from + most, budget.n_outputs);
        if to == from {
            return None;
        }
        let mut tokens: Vec<Source> = if is_known {
            self.sequence.tokens[from..to].iter().map(|&token| Source::Id(token)).collect()
        } else {
            vec![Source::Next]
        };
        let behind = self.sequence.ask_behind(to - 1 - from, &guess);
        tokens.extend(guess.iter().map(|&token| Source::Id(token)));
        outputs.extend(behind);
        let to = to + guess.len();
        budget.n_tokens -= to - from;
        budget.n_guesses -= guess.len();
        budget.n_outputs -= outputs.len();
        self.n_read = to;
        let rows = outputs.iter().map(|output| from + output.row).collect();
        let is_listed = |output: &Output| matches!(output.want, Want::Token { among: Among::Listed, .. });
        let among = if outputs.iter().any(is_listed) { Among::Listed } else { Among::All };
        let span = Span {
            slot: self.slot,
            position: from,
            tokens,
            pages: self.table.pages()[..to.div_ceil(PAGE)].to_vec(),
            n_prompt: self.sequence.n_prompt,
            adapters: self.sequence.adapters.clone(),
            outputs,
        };
        Some((span, Part { n_cached: self.n_cached, n_read: to, rows, guess, among }))
    }

    /// Later texts can begin with what is known to be in its pages.
    pub(crate) fn index(&mut self, memory: &mut Memory) {
        let Sequence { key, tokens, .. } = &self.sequence;
        memory.index(key, &mut self.table, &tokens[..self.n_read.min(tokens.len())]);
    }

    /// How many tokens another text will find in the cache when this one has been read, if that is not yet so.
    pub(crate) fn will_give(&self, other: &Sequence) -> usize {
        if self.table.n_indexed() >= self.n_known || self.sequence.key != other.key {
            return 0;
        }
        common(&self.sequence.tokens[..self.n_known], &other.tokens[..other.n_reusable()])
    }
}
