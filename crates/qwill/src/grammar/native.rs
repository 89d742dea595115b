//! The engine of the feature `grammar`.

use std::sync::Arc;

use qwill_grammar::{Grammar, Grammars, Matcher, Vocabulary};
use qwill_scheduler::Constraint;

use super::Engine;
use crate::Error;

/// An engine over a vocabulary.
pub(crate) fn make_engine(vocabulary: Vocabulary) -> Result<Arc<dyn Engine>, Error> {
    Ok(Arc::new(Grammars::new(vocabulary)?))
}

impl Engine for Grammars {
    fn compile(&self, grammar: &Grammar) -> Result<Box<dyn Constraint>, Error> {
        Ok(Box::new(Follower(Self::compile(self, grammar)?)))
    }
}

/// A text that follows a grammar from its first token on.
#[derive(Debug, Clone)]
struct Follower(Matcher);

impl Constraint for Follower {
    fn is_limiting(&self) -> bool {
        true
    }

    fn allow(&mut self, bits: &mut [u32]) -> Result<(), String> {
        self.0.allow(bits).map_err(|error| error.to_string())
    }

    fn take(&mut self, token: u32) -> Result<(), String> {
        self.0.take(token).map_err(|error| error.to_string())
    }

    fn force(&mut self) -> Result<Vec<u32>, String> {
        self.0.force().map_err(|error| error.to_string())
    }

    fn is_over(&self) -> bool {
        self.0.is_over()
    }

    fn fork(&self) -> Box<dyn Constraint> {
        Box::new(self.clone())
    }
}
