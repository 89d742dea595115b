//! A text on its way through a grammar.

use std::fmt;

use crate::{Error, words};

/// Where a text is in a grammar.
#[derive(Clone)]
pub struct Matcher(llguidance::Matcher);

impl fmt::Debug for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Matcher").field("is_over", &self.is_over()).finish_non_exhaustive()
    }
}

fn error(error: impl fmt::Display) -> Error {
    Error::Matcher(words::plain(&error.to_string()))
}

impl Matcher {
    pub(crate) fn new(matcher: llguidance::Matcher) -> Self {
        Self(matcher)
    }

    /// Marks the tokens that may follow: a bit each, the lowest first. Those that end a text are among them where the grammar
    /// allows an end.
    ///
    /// # Errors
    /// If the grammar is too ambiguous to say.
    pub fn allow(&mut self, bits: &mut [u32]) -> Result<(), Error> {
        let mask = self.0.compute_mask_or_eos().map_err(error)?;
        bits.iter_mut().zip(mask.as_slice()).for_each(|(bits, allowed)| *bits |= allowed);
        Ok(())
    }

    /// Whether anything may follow.
    ///
    /// # Errors
    /// If the grammar is too ambiguous to say.
    pub(crate) fn may_go_on(&mut self) -> Result<bool, Error> {
        match self.0.compute_mask_or_eos().map_err(error) {
            Ok(mask) => Ok(mask.num_set() > 0),
            Err(Error::Matcher(reason)) if reason == words::NOTHING => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Takes a token that follows.
    ///
    /// # Errors
    /// If it is not allowed.
    pub fn take(&mut self, token: u32) -> Result<(), Error> {
        self.0.consume_token(token).map_err(error)
    }

    /// Takes the tokens that follow because nothing else may.
    ///
    /// # Errors
    /// If the grammar is too ambiguous to say.
    pub fn force(&mut self) -> Result<Vec<u32>, Error> {
        let forced = self.0.consume_ff_tokens();
        self.0.get_error().map_or(Ok(forced), |reason| Err(error(reason)))
    }

    /// Whether the text may end here.
    ///
    /// # Errors
    /// If the grammar is too ambiguous to say.
    pub fn may_end(&mut self) -> Result<bool, Error> {
        self.0.is_accepting().map_err(error)
    }

    /// Whether nothing but an end may follow.
    pub fn is_over(&self) -> bool {
        self.0.is_stopped()
    }
}
