//! Replies that follow a schema, a regular expression, a grammar, or the signatures of tools.

mod calls;
mod compiled;
mod reply;
mod texts;

use std::sync::{Arc, Mutex};

use qwill_grammar::Grammar;
use qwill_scheduler::Constraint;

/// How long each list of allowed tokens took to make, milliseconds.
pub(crate) type MaskTimes = Arc<Mutex<Vec<f64>>>;

/// What limits a reply.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    pub(crate) constraint: Box<dyn Constraint>,
    pub(crate) times: MaskTimes,
}

/// What a reply must follow.
struct Wanted {
    /// All of the reply, or what follows `begin`.
    grammar: Grammar,
    /// What begins a call where text is free.
    begin: Option<u32>,
    /// Calls of a reply.
    most: usize,
}

/// What is known of a reply's thoughts when it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Thoughts {
    /// The prompt has begun them.
    Begun,
    /// The model may begin them.
    Possible,
    /// There are none.
    None,
}

impl Thoughts {
    /// Behind a prompt of messages.
    pub(crate) fn behind(prompt: &str) -> Self {
        match prompt.trim_end() {
            prompt if prompt.ends_with("<think>") => Self::Begun,
            prompt if prompt.ends_with("</think>") => Self::None,
            _ => Self::Possible,
        }
    }
}
