//! Replies that follow a schema, a regular expression, a grammar, or the signatures of tools.

#[cfg(feature = "grammar")]
mod calls;
#[cfg(feature = "grammar")]
mod compiled;
#[cfg(not(feature = "grammar"))]
mod refused;
#[cfg(feature = "grammar")]
mod reply;

use std::sync::{Arc, Mutex};

use qwill_scheduler::Constraint;

/// How long each list of allowed tokens took to make, milliseconds.
pub(crate) type MaskTimes = Arc<Mutex<Vec<f64>>>;

/// What limits a reply.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    pub(crate) constraint: Box<dyn Constraint>,
    pub(crate) times: MaskTimes,
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
