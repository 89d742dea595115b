//! How the command fails: one readable line, and the chain of causes when asked.

use std::error::Error;

/// Why the command ends with a status other than 0.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The arguments make no sense together: status 2.
    Usage(String),
    /// Everything else: status 1.
    Failed(Box<dyn Error>),
}

impl Failure {
    pub(crate) fn status(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::Failed(_) => 1,
        }
    }

    pub(crate) fn print(&self, verbose: bool) {
        match self {
            Self::Usage(message) => eprintln!("qwill: {message}"),
            Self::Failed(error) => {
                eprintln!("qwill: {}", error.to_string().trim());
                let mut cause = error.source().filter(|_| verbose);
                while let Some(error) = cause {
                    eprintln!("  because: {error}");
                    cause = error.source();
                }
            }
        }
    }
}

impl<E: Error + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Failed(Box::new(error))
    }
}

/// A message of its own for an error that would not say which file it is about.
pub(crate) fn about(path: &std::path::Path, error: impl std::fmt::Display) -> Failure {
    Failure::Failed(format!("{}: {error}", path.display()).into())
}
