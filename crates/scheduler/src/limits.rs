//! What the executor was made for.

use qwill_models::step::PAGE;

/// How much fits the device and a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Pages of the cache.
    pub n_pages: usize,
    /// Texts that run at a time.
    pub n_slots: usize,
    /// Most tokens of a step.
    pub chunk: usize,
    /// Most outputs of a step.
    pub max_outputs: usize,
    /// Most positions of a text.
    pub context_length: usize,
    /// Token ids are below it.
    pub vocab_size: usize,
    /// What a token sees.
    pub reading: Reading,
}

/// What a token of a text sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// Those before it: a text is read in pieces, and what texts begin with in common is read once.
    Causal,
    /// All: a text runs in one step, and nothing of it is of use to others.
    WholeText,
}

/// Limits under which a text could wait forever.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadLimits {
    /// The longest text would not fit.
    #[error("{n_pages} pages are too few: a text of {n_tokens} tokens needs {needed}")]
    TooFewPages {
        /// What there is.
        n_pages: usize,
        /// The longest text.
        n_tokens: usize,
        /// What it needs.
        needed: usize,
    },
    /// Nothing could run.
    #[error("slots, context and vocabulary must not be empty")]
    Empty,
    /// Running texts could leave no token to those that are read.
    #[error("a step of {chunk} tokens is too short for {n_slots} slots: each needs one")]
    ShortSteps {
        /// Most tokens of a step.
        chunk: usize,
        /// Slots.
        n_slots: usize,
    },
    /// Running texts could leave no output to those that are read.
    #[error("{max_outputs} outputs a step are too few for {n_slots} slots: each needs one")]
    TooFewOutputs {
        /// Most outputs of a step.
        max_outputs: usize,
        /// Slots.
        n_slots: usize,
    },
}

impl Limits {
    /// The longest text that can run.
    fn longest_text(&self) -> usize {
        match self.reading {
            Reading::Causal => self.context_length,
            Reading::WholeText => self.context_length.min(self.chunk),
        }
    }

    /// Whether every text that is taken can run to its end.
    ///
    /// # Errors
    /// If not.
    pub(crate) fn check(&self) -> Result<(), BadLimits> {
        let &Self { n_pages, n_slots, chunk, max_outputs, context_length, vocab_size, .. } = self;
        if n_slots == 0 || context_length == 0 || vocab_size == 0 {
            return Err(BadLimits::Empty);
        }
        let n_tokens = self.longest_text();
        let needed = n_tokens.div_ceil(PAGE);
        if n_pages < needed {
            return Err(BadLimits::TooFewPages { n_pages, n_tokens, needed });
        }
        if chunk < n_slots {
            return Err(BadLimits::ShortSteps { chunk, n_slots });
        }
        if max_outputs < n_slots {
            return Err(BadLimits::TooFewOutputs { max_outputs, n_slots });
        }
        Ok(())
    }
}
