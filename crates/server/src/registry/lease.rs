//! A model while a request uses it.

use std::sync::Arc;
use std::time::Instant;

use qwill::Model;
use tokio::sync::Notify;

use super::slot::Slot;
use crate::failure::Failure;

/// A request's place among those of a model. Dropping it lets the next one in.
pub(crate) struct Place {
    slot: Arc<Slot>,
    n: usize,
    since: Instant,
    ended: Arc<Notify>,
}

impl Place {
    /// A place for `n` replies, unless there are more than `most` with them.
    pub(super) fn take(
        slot: &Arc<Slot>,
        n: usize,
        most: usize,
        ended: &Arc<Notify>,
    ) -> Result<Self, Failure> {
        slot.enter(n, most)?;
        Ok(Self { slot: slot.clone(), n, since: Instant::now(), ended: ended.clone() })
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

    /// The model's place.
    pub(crate) fn slot(&self) -> &Slot {
        &self.place.slot
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
