//! What all requests share.

use std::sync::Arc;

use tokio::sync::{Semaphore, watch};
use tokio::task::spawn_blocking;

use crate::failure::Failure;
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
    /// Texts that become tokens at a time.
    workers: Arc<Semaphore>,
}

impl App {
    pub(crate) fn new(options: Options, registry: Registry) -> Self {
        let n_workers = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            options,
            registry: Arc::new(registry),
            metrics: Metrics::default(),
            phase: watch::Sender::new(Phase::Serving),
            workers: Arc::new(Semaphore::new(n_workers)),
        }
    }

    pub(crate) fn is_serving(&self) -> bool {
        *self.phase.borrow() == Phase::Serving
    }

    /// Work on texts, which takes a core for a while: no more at a time than there are cores.
    pub(crate) async fn aside<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let place = self.workers.clone().acquire_owned().await;
        let place = place.map_err(|_| Failure::internal("there are no workers"))?;
        let worked = spawn_blocking(move || {
            // kept even if nobody waits any more
            let _place = place;
            work()
        });
        worked.await.map_err(|_| Failure::internal("what works on texts panicked"))?
    }
}
