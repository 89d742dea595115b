//! A model's place in the registry, whether or not it is loaded.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use qwill::{Model, Session};
use tokio::task::spawn_blocking;

use super::source::{LoadAt, Loader, ModelSource};
use crate::failure::{Failure, Kind};
use crate::ids;

/// Conversations that are kept beside a model.
const MOST_SESSIONS: usize = 64;

/// A loaded model.
struct Held {
    model: Model,
    used: Instant,
    /// Conversations by their numbers; they go with the model.
    sessions: BTreeMap<usize, Session>,
}

/// A model's place in the registry.
pub(crate) struct Slot {
    source: ModelSource,
    /// Seconds since 1970.
    pub(crate) created: u64,
    held: Mutex<Option<Held>>,
    /// Replies that run or wait.
    active: AtomicUsize,
    /// What requests take on average, the latest counting most.
    usual_ms: AtomicU64,
}

impl Slot {
    pub(super) fn new(source: ModelSource) -> Self {
        Self {
            source,
            created: ids::now(),
            held: Mutex::default(),
            active: AtomicUsize::new(0),
            usual_ms: AtomicU64::new(1000),
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.source.name
    }

    pub(crate) fn load_at(&self) -> LoadAt {
        self.source.at
    }

    pub(super) fn loader(&self) -> Loader {
        self.source.loader.clone()
    }

    /// Replies that run or wait.
    pub(crate) fn n_active(&self) -> usize {
        self.active.load(Ordering::SeqCst)
    }

    pub(crate) fn is_loaded(&self) -> bool {
        self.held().is_some()
    }

    /// The model without using it, if it is loaded.
    pub(crate) fn peek(&self) -> Option<Model> {
        self.held().as_ref().map(|held| held.model.clone())
    }

    /// The model, if it is loaded, for somebody who uses it.
    pub(super) fn loaded(&self) -> Option<Model> {
        self.held().as_mut().map(|held| {
            held.used = Instant::now();
            held.model.clone()
        })
    }

    pub(super) fn put(&self, model: Model) -> Model {
        *self.held() = Some(Held { model: model.clone(), used: Instant::now(), sessions: BTreeMap::new() });
        model
    }

    /// The conversations that are kept, by their numbers.
    pub(crate) fn sessions(&self) -> Vec<(usize, Session)> {
        let held = self.held();
        let sessions = held.iter().flat_map(|held| &held.sessions);
        sessions.map(|(&id, session)| (id, session.clone())).collect()
    }

    /// A conversation that is kept.
    pub(crate) fn session(&self, id: usize) -> Option<Session> {
        self.held().as_ref()?.sessions.get(&id).cloned()
    }

    /// Keeps a conversation in the place of another.
    pub(crate) fn keep(&self, id: usize, session: Session) -> Result<(), Failure> {
        if id >= MOST_SESSIONS {
            return Err(Failure::invalid(format!("id_slot is {id}, but must be less than {MOST_SESSIONS}")));
        }
        if let Some(held) = self.held().as_mut() {
            held.sessions.insert(id, session);
        }
        Ok(())
    }

    /// Forgets a conversation; whether there was one.
    pub(crate) fn forget(&self, id: usize) -> bool {
        self.held().as_mut().is_some_and(|held| held.sessions.remove(&id).is_some())
    }

    /// Since when nobody uses it, if it is loaded.
    pub(crate) fn idle_since(&self) -> Option<Instant> {
        self.held().as_ref().filter(|_| self.n_active() == 0).map(|held| held.used)
    }

    /// Frees the model unless somebody uses it; whether it did.
    pub(crate) async fn put_away(&self) -> bool {
        let held = {
            let mut held = self.held();
            if self.n_active() == 0 { held.take() } else { None }
        };
        let Some(held) = held else { return false };
        tracing::info!(model = self.name(), "put away");
        // Its last handle waits for the device.
        spawn_blocking(move || drop(held)).await.is_ok()
    }

    /// Counts `n` replies in, unless there would be more than `most`.
    pub(super) fn enter(&self, n: usize, most: usize) -> Result<(), Failure> {
        let entered = self.active.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |active| {
            // One request may have more choices than wait at a time.
            let fits = active == 0 || active.saturating_add(n) <= most;
            fits.then_some(active.saturating_add(n))
        });
        let Err(active) = entered else { return Ok(()) };
        let retry_after = Duration::from_millis(self.usual_ms.load(Ordering::Relaxed).clamp(1000, 60_000));
        let message = format!("{active} replies run or wait already; try again later");
        Err(Failure::new(Kind::Busy { retry_after }, message))
    }

    pub(super) fn leave(&self, n: usize, took: Duration) {
        self.active.fetch_sub(n, Ordering::SeqCst);
        let usual = self.usual_ms.load(Ordering::Relaxed);
        self.usual_ms.store((usual * 7 + took.as_millis() as u64) / 8, Ordering::Relaxed);
    }

    fn held(&self) -> MutexGuard<'_, Option<Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
