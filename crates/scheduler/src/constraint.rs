//! What limits the tokens that are drawn for a text.

use std::fmt::Debug;

/// Says after each token of a text which may follow: a grammar, for example.
///
/// A text that has one is never drawn for ahead of what is known of it.
pub trait Constraint: Debug + Send {
    /// Whether some tokens must not be drawn next.
    fn is_limiting(&self) -> bool;

    /// Marks the tokens that may be drawn next: a bit each, the lowest first. All are 0 before.
    ///
    /// # Errors
    /// If that cannot be said, and why; the text then ends.
    fn allow(&mut self, bits: &mut [u32]) -> Result<(), String>;

    /// Takes a token that was drawn.
    ///
    /// # Errors
    /// If it was not allowed, or nothing can be said any more, and why; the text then ends.
    fn take(&mut self, token: u32) -> Result<(), String>;

    /// Takes the tokens that follow because nothing else may; they need not be drawn.
    ///
    /// # Errors
    /// If nothing can be said any more, and why; the text then ends.
    fn force(&mut self) -> Result<Vec<u32>, String>;

    /// Whether nothing may follow.
    fn is_over(&self) -> bool;

    /// Another one for a text that begins alike.
    fn fork(&self) -> Box<dyn Constraint>;
}

impl Clone for Box<dyn Constraint> {
    fn clone(&self) -> Self {
        self.fork()
    }
}
