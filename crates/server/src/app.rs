//! What all requests share.

use std::sync::Arc;

use tokio::sync::watch;

use crate::metrics::Metrics;
use crate::options::Options;
use crate::registry::Registry;

/// Whether a server goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// It does.
    Serving,
    /// What runs may end, nothing new begins.
    Draining,
    /// What runs ends where it is.
    Ending,
}

/// What all requests share.
pub(crate) struct App {
    pub(crate) options: Options,
    pub(crate) registry: Arc<Registry>,
    pub(crate) metrics: Metrics,
    pub(crate) phase: watch::Sender<Phase>,
}

impl App {
    pub(crate) fn is_serving(&self) -> bool {
        *self.phase.borrow() == Phase::Serving
    }
}
