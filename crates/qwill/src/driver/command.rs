//! What handles ask of the driver.

use std::future::Future;
use std::pin::Pin;

use futures_channel::mpsc::UnboundedSender;
use futures_channel::oneshot;
use qwill_engine::Engine;
use qwill_scheduler::{Request, Text, What};

use crate::{AdapterInfo, Error, ModelFiles};

/// Names a request before the driver has heard of it.
pub(crate) type Ticket = u64;

/// What a request is told, until it is done: then the channel is closed.
pub(crate) type Signal = Result<What, Error>;

/// Who waits for a request.
pub(crate) struct Listener {
    pub(super) ticket: Ticket,
    /// Tokens that end it. They are told.
    pub(super) ends: Vec<u32>,
    /// Numbers of the adapters that it uses.
    pub(super) adapters: Vec<u64>,
    pub(super) signals: UnboundedSender<Signal>,
}

impl Listener {
    /// The request ends with an error.
    pub(super) fn fail(self, error: Error) {
        // nobody may listen any more
        let _ = self.signals.unbounded_send(Err(error));
    }
}

/// A request, and who waits for it.
pub(crate) struct Run {
    pub(super) request: Request,
    pub(super) listener: Listener,
}

/// Keys and values of a text.
pub(crate) struct Exported {
    /// Pages, page after page: keys of the first layer, its values, keys of the second…
    pub(crate) layers: Vec<Vec<u8>>,
    /// Of how many tokens they are.
    pub(crate) n_tokens: usize,
}

/// Whether work leaves pages of the cache as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cache {
    Kept,
    Overwritten,
}

/// Work on an engine that has nothing else to do.
pub(super) type Work =
    Box<dyn for<'e> FnOnce(&'e mut Engine) -> Pin<Box<dyn Future<Output = ()> + 'e>> + Send>;

/// Something to do.
pub(super) enum Command {
    Run(Box<Run>),
    /// Nobody wants more of a request.
    Finish(Ticket),
    WithEngine {
        cache: Cache,
        work: Work,
    },
    LoadAdapter {
        files: ModelFiles,
        name: String,
        id: u64,
        answer: oneshot::Sender<Result<AdapterInfo, Error>>,
    },
    /// The keys and values of a text, as far as the cache holds them.
    Export {
        text: Text,
        answer: oneshot::Sender<Result<Exported, Error>>,
    },
    /// Keys and values that were exported before.
    Import {
        text: Text,
        layers: Vec<Vec<u8>>,
        answer: oneshot::Sender<Result<(), Error>>,
    },
    UnloadAdapter {
        id: u64,
        answer: oneshot::Sender<()>,
    },
}
