//! What is asked for.

use qwill_models::step::{MAX_BIASES, Sampler};

use crate::constraint::Constraint;
use crate::limits::{Limits, Reading};
use crate::speculation::Speculation;

/// Names a request for as long as the scheduler lives. Earlier requests have lower ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub(crate) u64);

/// A text, and what is to be done with it.
#[derive(Debug, Clone)]
pub struct Request {
    /// The text.
    pub tokens: Vec<u32>,
    /// How many of them are the prompt, which the text's angles are made for; what follows counts as drawn before: a
    /// reply that is continued.
    pub n_prompt: usize,
    /// Adapters that change the weights for it, by the number that loading gave them, with their scales.
    pub adapters: Vec<(u64, f32)>,
    /// Tokens of it that a step reads at most; absent, or where texts are read whole: as many as fit.
    pub chunk: Option<usize>,
    /// What is to be done.
    pub task: Task,
}

/// What is to be done with a text.
#[derive(Debug, Clone)]
pub enum Task {
    /// Tokens are drawn, until the caller ends it or a limit is met.
    Generate {
        /// How.
        sampler: Sampler,
        /// Tokens with what is added to their logits, by rising id.
        bias: Vec<(u32, f32)>,
        /// How many of the most likely tokens are told with each that is drawn, and their log probabilities; `None`: none,
        /// nor its own.
        logprobs: Option<u8>,
        /// What limits the tokens, if anything does.
        constraint: Option<Box<dyn Constraint>>,
        /// Whether tokens are guessed. Where there is a constraint or a penalty, none is: what may follow, and how likely it is,
        /// then depends on each token.
        speculation: Speculation,
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
    /// How likely the token behind it is, with so many of the most likely ones. The last token of the text has none behind
    /// it.
    Logprobs(u8),
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
    #[error("the rows wanted must be one or more that rise and lie below {n_rows}")]
    Rows {
        /// Tokens of the text that can be asked for it.
        n_rows: usize,
    },
    /// Biases that the executor has no place for, or cannot find.
    #[error("{n_biases} biases; there may be {MAX_BIASES}, of tokens whose ids rise")]
    Biases {
        /// How many.
        n_biases: usize,
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

impl Wanted {
    /// How many tokens must be known behind one of which it is wanted.
    pub(crate) fn n_behind(self) -> usize {
        match self {
            Self::Scores | Self::State => 0,
            Self::Logprobs(_) => 1,
        }
    }

    /// How many tokens of a text of `n_tokens` it can be had of, from the first on.
    pub(crate) fn n_rows(self, n_tokens: usize) -> usize {
        n_tokens.saturating_sub(self.n_behind())
    }
}

impl Rows {
    /// How many there are among `n_rows`.
    pub(crate) fn count(&self, n_rows: usize) -> usize {
        match self {
            Self::Every => n_rows,
            Self::Last => 1,
            Self::List(rows) => rows.len(),
        }
    }

    /// The `i`th among `n_rows`.
    pub(crate) fn get(&self, i: usize, n_rows: usize) -> Option<usize> {
        match self {
            Self::Every => Some(i).filter(|&i| i < n_rows),
            Self::Last => n_rows.checked_sub(1).filter(|_| i == 0),
            Self::List(rows) => rows.get(i).copied(),
        }
    }

    /// Whether there are any, which rise and lie below `n_rows`.
    fn are_within(&self, n_rows: usize) -> bool {
        match self {
            Self::List(rows) => {
                rows.is_sorted_by(|a, b| a < b) && rows.last().is_some_and(|&last| last < n_rows)
            }
            Self::Every | Self::Last => n_rows > 0,
        }
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
            (Task::Generate { bias, .. }, _)
                if bias.len() > MAX_BIASES || !bias.is_sorted_by(|a, b| a.0 < b.0) =>
            {
                Err(Refused::Biases { n_biases: bias.len() })
            }
            (Task::Read { rows, want }, _) if !rows.are_within(want.n_rows(n_tokens)) => {
                Err(Refused::Rows { n_rows: want.n_rows(n_tokens) })
            }
            (Task::Read { .. }, Reading::WholeText) if n_tokens > chunk => {
                Err(Refused::LongerThanStep { n_tokens, chunk })
            }
            (Task::Read { rows, want }, Reading::WholeText) => {
                let n_outputs = rows.count(want.n_rows(n_tokens));
                if n_outputs > max_outputs {
                    return Err(Refused::TooManyOutputs { n_outputs, max_outputs });
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}
