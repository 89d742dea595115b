//! What is asked for.

use qwill_models::step::Sampler;

use crate::limits::{Limits, Reading};

/// Names a request for as long as the scheduler lives. Earlier requests have lower ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub(crate) u64);

/// A text, and what is to be done with it.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// The text.
    pub tokens: Vec<u32>,
    /// How many of them are the prompt, which the text's angles are made for; what follows counts as drawn before: a
    /// reply that is continued.
    pub n_prompt: usize,
    /// Adapters that change the weights for it, by the number that loading gave them, with their scales.
    pub adapters: Vec<(u64, f32)>,
    /// Tokens of it that a step reads at most; absent: as many as fit.
    pub chunk: Option<usize>,
    /// What is to be done.
    pub task: Task,
}

/// What is to be done with a text.
#[derive(Debug, Clone, PartialEq)]
pub enum Task {
    /// Tokens are drawn, until the caller ends it or a limit is met.
    Generate {
        /// How.
        sampler: Sampler,
        /// The random numbers' seed.
        seed: u32,
        /// How many at most; the context may end it before.
        max_tokens: usize,
    },
    /// It is read.
    Read {
        /// Tokens of which something is wanted.
        rows: Rows,
        /// What is wanted of them.
        want: Wanted,
    },
}

/// Tokens of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rows {
    /// All.
    Every,
    /// The last one.
    Last,
    /// These positions, rising.
    List(Vec<usize>),
}

/// What is wanted of a token that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// What the head gives.
    Scores,
    /// The state after the final norm.
    State,
}

/// Why a request cannot be done, now or later.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// No tokens.
    #[error("the text is empty; it needs at least one token")]
    Empty,
    /// More prompt than text, or none.
    #[error("{n_prompt} tokens of prompt in a text of {n_tokens}; at least one is needed, at most all")]
    PromptLength {
        /// Tokens of the prompt.
        n_prompt: usize,
        /// Tokens of the text.
        n_tokens: usize,
    },
    /// Longer than the context.
    #[error("the text has {n_tokens} tokens, the context holds {context_length}")]
    TooLong {
        /// Tokens of the text.
        n_tokens: usize,
        /// Positions there are.
        context_length: usize,
    },
    /// An id that the model does not know.
    #[error("token {token} at position {position} is not below {vocab_size}, the size of the vocabulary")]
    OutsideVocabulary {
        /// The id.
        token: u32,
        /// Where.
        position: usize,
        /// Ids there are.
        vocab_size: usize,
    },
    /// Nothing of it may be read.
    #[error("steps of 0 tokens were asked for; at least one token must be read at a time")]
    NoChunk,
    /// No token may be drawn.
    #[error("max_tokens is 0; at least one token must be drawn")]
    NoTokens,
    /// Rows that are none, or do not rise, or lie outside.
    #[error("the rows wanted must be one or more that rise and lie below {n_tokens}, the length of the text")]
    Rows {
        /// Tokens of the text.
        n_tokens: usize,
    },
    /// A model whose tokens see what follows predicts none.
    #[error("this model reads whole texts; it draws no tokens")]
    CannotGenerate,
    /// A text that must run in one step does not fit it.
    #[error("the text has {n_tokens} tokens and is read in one step, which takes {chunk}")]
    LongerThanStep {
        /// Tokens of the text.
        n_tokens: usize,
        /// Most tokens of a step.
        chunk: usize,
    },
    /// A text that must run in one step wants more than a step gives.
    #[error("{n_outputs} rows are wanted of a text that is read in one step, which gives {max_outputs}")]
    TooManyOutputs {
        /// Rows wanted.
        n_outputs: usize,
        /// Most outputs of a step.
        max_outputs: usize,
    },
}

impl Rows {
    /// How many there are in a text of `n_tokens`.
    pub(crate) fn count(&self, n_tokens: usize) -> usize {
        match self {
            Self::Every => n_tokens,
            Self::Last => 1,
            Self::List(rows) => rows.len(),
        }
    }

    /// The `i`th of a text of `n_tokens`.
    pub(crate) fn get(&self, i: usize, n_tokens: usize) -> Option<usize> {
        match self {
            Self::Every => Some(i).filter(|&i| i < n_tokens),
            Self::Last => n_tokens.checked_sub(1).filter(|_| i == 0),
            Self::List(rows) => rows.get(i).copied(),
        }
    }

    fn are_within(&self, n_tokens: usize) -> bool {
        let Self::List(rows) = self else { return true };
        rows.is_sorted_by(|a, b| a < b) && rows.last().is_some_and(|&last| last < n_tokens)
    }
}

impl Request {
    /// Whether it can be done at all.
    ///
    /// # Errors
    /// If not.
    pub(crate) fn check(&self, limits: &Limits) -> Result<(), Refused> {
        let (n_tokens, n_prompt) = (self.tokens.len(), self.n_prompt);
        let &Limits { chunk, max_outputs, context_length, vocab_size, .. } = limits;
        if n_tokens == 0 {
            return Err(Refused::Empty);
        }
        if n_prompt == 0 || n_prompt > n_tokens {
            return Err(Refused::PromptLength { n_prompt, n_tokens });
        }
        if n_tokens > context_length {
            return Err(Refused::TooLong { n_tokens, context_length });
        }
        if let Some(position) = self.tokens.iter().position(|&token| token as usize >= vocab_size) {
            let token = self.tokens[position];
            return Err(Refused::OutsideVocabulary { token, position, vocab_size });
        }
        if self.chunk == Some(0) {
            return Err(Refused::NoChunk);
        }
        match (&self.task, limits.reading) {
            (Task::Generate { .. }, Reading::WholeText) => Err(Refused::CannotGenerate),
            (Task::Generate { max_tokens: 0, .. }, _) => Err(Refused::NoTokens),
            (Task::Read { rows, .. }, _) if !rows.are_within(n_tokens) => Err(Refused::Rows { n_tokens }),
            (Task::Read { .. }, Reading::WholeText) if n_tokens > chunk => {
                Err(Refused::LongerThanStep { n_tokens, chunk })
            }
            (Task::Read { rows, .. }, Reading::WholeText) if rows.count(n_tokens) > max_outputs => {
                Err(Refused::TooManyOutputs { n_outputs: rows.count(n_tokens), max_outputs })
            }
            _ => Ok(()),
        }
    }
}
