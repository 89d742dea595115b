//! The models of a server: loaded at the start or when they are first asked for, put away when others need the room.

mod lease;
mod slot;
mod source;

use std::sync::Arc;
use std::time::{Duration, Instant};

use qwill::Model;
use tokio::sync::{Mutex, Notify};
use tokio::task::spawn_blocking;

pub(crate) use self::lease::Lease;
use self::lease::Place;
pub(crate) use self::slot::Slot;
pub use self::source::{LoadAt, LoadError, ModelSource};
use crate::failure::{Failure, Kind};

/// The models of a server.
pub(crate) struct Registry {
    slots: Vec<Arc<Slot>>,
    max_loaded: usize,
    max_requests: usize,
    /// One model is loaded at a time.
    loading: Mutex<()>,
    /// Told whenever a request ends.
    ended: Arc<Notify>,
}

impl Registry {
    pub(crate) fn new(sources: Vec<ModelSource>, max_loaded: Option<usize>, max_requests: usize) -> Self {
        Self {
            slots: sources.into_iter().map(|source| Arc::new(Slot::new(source))).collect(),
            max_loaded: max_loaded.unwrap_or(usize::MAX).max(1),
            max_requests,
            loading: Mutex::default(),
            ended: Arc::default(),
        }
    }

    /// All models, in the order in which they were named.
    pub(crate) fn slots(&self) -> &[Arc<Slot>] {
        &self.slots
    }

    /// The model of a name; the first where a request names none.
    pub(crate) fn find(&self, name: Option<&str>) -> Result<&Arc<Slot>, Failure> {
        let found = match name {
            None | Some("") => self.slots.first(),
            Some(name) => self.slots.iter().find(|slot| slot.name() == name),
        };
        found.ok_or_else(|| {
            let names: Vec<&str> = self.slots.iter().map(|slot| slot.name()).collect();
            let name = name.unwrap_or_default();
            Failure::new(
                Kind::NoModel,
                format!("there is no model \"{name}\"; there is {}", names.join(", ")),
            )
        })
    }

    /// A model for `n` replies, loaded if it is not yet.
    pub(crate) async fn lease(self: &Arc<Self>, name: Option<&str>, n: usize) -> Result<Lease, Failure> {
        let slot = self.find(name)?;
        // Counted before it is looked at, so that nobody puts it away in between.
        let place = Place::take(slot, n, self.max_requests, &self.ended)?;
        let model = match slot.loaded() {
            Some(model) => model,
            None => self.loaded(slot.clone()).await?,
        };
        Ok(Lease::new(place, model))
    }

    /// Loads a model, whether or not whoever asked for it stays.
    pub(crate) async fn loaded(self: &Arc<Self>, slot: Arc<Slot>) -> Result<Model, Failure> {
        let this = self.clone();
        let loading = tokio::spawn(async move { this.load(&slot).await });
        loading.await.map_err(|_| Failure::internal("loading the model panicked"))?
    }

    async fn load(&self, slot: &Slot) -> Result<Model, Failure> {
        let _alone = self.loading.lock().await;
        if let Some(model) = slot.loaded() {
            return Ok(model);
        }
        while self.slots.iter().filter(|slot| slot.is_loaded()).count() >= self.max_loaded {
            let ended = self.ended.notified();
            if !self.put_idle_away().await {
                ended.await;
            }
        }
        loop {
            tracing::info!(model = slot.name(), "loading");
            let (start, load) = (Instant::now(), slot.loader());
            let loaded = spawn_blocking(move || load()).await;
            match loaded.map_err(|_| Failure::internal("loading the model panicked"))? {
                Ok(model) => {
                    tracing::info!(model = slot.name(), seconds = start.elapsed().as_secs_f32(), "loaded");
                    return Ok(slot.put(model));
                }
                Err(error) if is_out_of_memory(&error) && self.put_idle_away().await => {}
                Err(error) => {
                    tracing::error!(model = slot.name(), %error, "cannot be loaded");
                    let kind = if is_out_of_memory(&error) { Kind::Unavailable } else { Kind::Internal };
                    return Err(Failure::new(kind, format!("\"{}\" cannot be loaded: {error}", slot.name())));
                }
            }
        }
    }

    /// Puts away the model that has not been asked for the longest, of those that nobody uses; whether there was one.
    async fn put_idle_away(&self) -> bool {
        let mut idle: Vec<_> =
            self.slots.iter().filter_map(|slot| Some((slot.idle_since()?, slot))).collect();
        idle.sort_by_key(|(since, _)| *since);
        for (_, slot) in idle {
            if slot.put_away().await {
                return true;
            }
        }
        false
    }

    /// Waits until nothing runs, at most so long; whether nothing does.
    pub(crate) async fn quiet(&self, limit: Duration) -> bool {
        let quiet = async {
            loop {
                let ended = self.ended.notified();
                if self.slots.iter().all(|slot| slot.n_active() == 0) {
                    return;
                }
                ended.await;
            }
        };
        tokio::time::timeout(limit, quiet).await.is_ok()
    }
}

fn is_out_of_memory(error: &LoadError) -> bool {
    error.downcast_ref::<qwill::Error>().is_some_and(|error| error.code() == "out-of-memory")
}
