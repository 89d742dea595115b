//! How the command fails: one readable line, and the chain of causes when asked.

use std::error::Error;
use std::io::Write;

/// Why the command ends with status 1; clap ends it with 2 for wrong usage.
#[derive(Debug)]
pub(crate) struct Failure(Box<dyn Error + Send + Sync>);

/// What to do about an error, in the words of the command line; the library's callers have other ones.
fn remedy(error: &qwill::Error) -> Option<&'static str> {
    match error {
        qwill::Error::ContextTooLong { .. } => Some("--rope-scaling yarn:FACTOR"),
        qwill::Error::NoLogits => Some("qwill eval --embed or --score"),
        _ => None,
    }
}

impl Failure {
    pub(crate) fn print(&self, verbose: bool) {
        let remedy = self.0.downcast_ref().and_then(remedy).map(|words| format!(" ({words})"));
        let mut out = std::io::stderr();
        // where nobody can be told, the status still says it
        let _ = writeln!(out, "qwill: {}{}", self.0.to_string().trim(), remedy.unwrap_or_default());
        let mut cause = self.0.source().filter(|_| verbose);
        while let Some(error) = cause {
            let _ = writeln!(out, "  because: {error}");
            cause = error.source();
        }
    }
}

impl<E: Error + Send + Sync + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(Box::new(error))
    }
}

impl From<Failure> for Box<dyn Error + Send + Sync> {
    fn from(failure: Failure) -> Self {
        failure.0
    }
}

/// A message of its own for an error that would not say which file it is about.
pub(crate) fn about(path: &std::path::Path, error: impl std::fmt::Display) -> Failure {
    Failure(format!("{}: {error}", path.display()).into())
}

/// A message of its own.
pub(crate) fn wrong(reason: impl Into<String>) -> Failure {
    Failure(reason.into().into())
}
