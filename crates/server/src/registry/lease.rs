//! A model while a request uses it.

use std::sync::Arc;
use std::time::Instant;

use qwill::Model;
use tokio::sync::Notify;

use super::slot::Slot;

/// A request's place among those of a model. Dropping it lets the next one in.
pub(crate) struct Place {
    slot: Arc<Slot>,
    n: usize,
    since: Instant,
    ended: Arc<Notify>,
}

impl Place {
    pub(super) fn new(slot: Arc<Slot>, n: usize, ended: Arc<Notify>) -> Self {
        Self { slot, n, since: Instant::now(), ended }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.slot.leave(self.n, self.since.elapsed());
        self.ended.notify_waiters();
    }
}

/// A model that stays loaded as long as this is there.
pub(crate) struct Lease {
    // freed before others are let in
    model: Model,
    place: Place,
}

impl Lease {
    pub(super) fn new(place: Place, model: Model) -> Self {
        Self { model, place }
    }

    pub(crate) fn model(&self) -> &Model {
        &self.model
    }

    /// What requests call it.
    pub(crate) fn name(&self) -> &str {
        self.place.slot.name()
    }

    /// Since when the server knows the model, in seconds since 1970.
    pub(crate) fn created(&self) -> u64 {
        self.place.slot.created
    }

    /// When it was asked for.
    pub(crate) fn since(&self) -> Instant {
        self.place.since
    }
}
