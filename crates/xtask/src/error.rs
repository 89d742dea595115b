//! What can go wrong in a task, said so that a person knows what to do next.

use crate::difference::Difference;
use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

/// The result of a task.
pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a task ended early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A child command ran and failed.
    #[error("`{command}` failed ({status})")]
    Failed {
        /// The command as a person would type it.
        command: String,
        /// How it ended.
        status: ExitStatus,
        /// The end of its output, where that was kept.
        said: String,
    },
    /// A child command could not be started.
    #[error("`{command}` could not be started: {source}")]
    Start {
        /// The command as a person would type it.
        command: String,
        /// What the system said.
        source: io::Error,
    },
    /// A child command was stopped because it ran for too long.
    #[error("`{command}` was stopped after {} minutes", limit.as_secs() / 60)]
    TimedOut {
        /// The command as a person would type it.
        command: String,
        /// How long it was given.
        limit: Duration,
        /// The end of its output, where that was kept.
        said: String,
    },
    /// A file or folder could not be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file can be read, but not used.
    #[error("{}: {reason}", path.display())]
    Content {
        /// Which one.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A file that is made from others is not what they say.
    #[error("{}: {difference}\n  run `cargo xtask bench-report`", path.display())]
    OutOfDate {
        /// Which one.
        path: PathBuf,
        /// Where it differs first.
        difference: Difference,
    },
    /// Something is missing that xtask cannot bring; the text says what a person can do.
    #[error("{0}")]
    Missing(String),
    /// The GPU kit cannot be made, or does not do what it should.
    #[error("GPU kit: {0}")]
    Kit(String),
    /// Some steps of a run failed; the table above names them.
    #[error("{failed} of {total} steps failed")]
    Steps {
        /// How many failed.
        failed: usize,
        /// How many ran or should have run.
        total: usize,
    },
}

impl Error {
    /// The end of what a failed child wrote, where that was kept; else nothing.
    pub(crate) fn said(&self) -> &str {
        match self {
            Self::Failed { said, .. } | Self::TimedOut { said, .. } => said,
            _ => "",
        }
    }
}
