//! The way from anywhere to the driver.

use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use futures_channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use futures_channel::oneshot;
use futures_core::Stream;
use qwill_engine::Engine;
use qwill_scheduler::{Request, Text};

use super::command::{Cache, Command, Exported, Listener, Run, Signal, Ticket, Work};
use super::task::Running;
#[cfg(not(target_arch = "wasm32"))]
use crate::gpu::Ending;
use crate::{AdapterInfo, Error, ModelFiles};

/// Sends the driver what is to be done. Clones reach the same one; it ends with the last of them.
#[derive(Clone)]
pub(crate) struct Handle(Arc<Reins>);

/// What all clones of a handle share.
struct Reins {
    commands: UnboundedSender<Command>,
    tickets: AtomicU64,
    running: OnceLock<Running>,
    /// What the driver waits for of a program that is about to wait for the driver.
    #[cfg(not(target_arch = "wasm32"))]
    ending: OnceLock<Ending>,
}

impl Drop for Reins {
    /// Waits for the driver to end: a program that ends while a thread of it still gives a device back may crash.
    fn drop(&mut self) {
        self.commands.close_channel();
        #[cfg(not(target_arch = "wasm32"))]
        if let Some(ending) = self.ending.take() {
            ending();
        }
        if let Some(running) = self.running.take() {
            running.wait();
        }
    }
}

/// What becomes of a request, as it happens. Dropping it ends the request.
pub(crate) struct Signals {
    handle: Handle,
    ticket: Ticket,
    received: UnboundedReceiver<Signal>,
}

impl Handle {
    /// The sending end, and what the driver receives from.
    pub(super) fn new() -> (Self, UnboundedReceiver<Command>) {
        let (commands, received) = unbounded();
        let reins = Reins {
            commands,
            tickets: AtomicU64::new(0),
            running: OnceLock::new(),
            #[cfg(not(target_arch = "wasm32"))]
            ending: OnceLock::new(),
        };
        #[cfg_attr(
            target_arch = "wasm32",
            allow(clippy::arc_with_non_send_sync, reason = "a tab has one thread; natively it is both")
        )]
        let reins = Arc::new(reins);
        (Self(reins), received)
    }

    /// Says where the driver runs.
    pub(super) fn attach(&self, running: Running) {
        // a handle has one driver
        let _ = self.0.running.set(running);
    }

    /// Says what ends the driver's waiting for a program's device, if there is such a thing.
    #[cfg(not(target_arch = "wasm32"))]
    pub(super) fn end_with(&self, ending: Option<Ending>) {
        if let Some(ending) = ending {
            // a handle has one driver
            let _ = self.0.ending.set(ending);
        }
    }

    fn send(&self, command: Command) -> Result<(), Error> {
        self.0.commands.unbounded_send(command).map_err(|_| Error::ended())
    }

    /// Runs a request; a token among `ends` is its last.
    pub(crate) fn run(&self, request: Request, ends: Vec<u32>) -> Result<Signals, Error> {
        let ticket = self.0.tickets.fetch_add(1, Ordering::Relaxed);
        let (signals, received) = unbounded();
        let adapters = request.adapters.iter().map(|&(id, _)| id).collect();
        let listener = Listener { ticket, ends, adapters, signals };
        self.send(Command::Run(Box::new(Run { request, listener })))?;
        Ok(Signals { handle: self.clone(), ticket, received })
    }

    /// Does something with the engine between steps; running requests wait.
    pub(crate) async fn with_engine<T: Send + 'static>(
        &self,
        cache: Cache,
        work: impl AsyncFnOnce(&mut Engine) -> T + Send + 'static,
    ) -> Result<T, Error> {
        let (answer, answered) = oneshot::channel();
        let work: Work = Box::new(move |engine| {
            Box::pin(async move {
                // nobody may wait any more
                let _ = answer.send(work(engine).await);
            })
        });
        self.send(Command::WithEngine { cache, work })?;
        answered.await.map_err(|_| Error::ended())
    }

    /// Loads an adapter under a number that nothing else has.
    pub(crate) async fn load_adapter(
        &self,
        files: ModelFiles,
        name: &str,
    ) -> Result<(u64, AdapterInfo), Error> {
        let id = self.0.tickets.fetch_add(1, Ordering::Relaxed);
        let (answer, answered) = oneshot::channel();
        self.send(Command::LoadAdapter { files, name: name.to_owned(), id, answer })?;
        Ok((id, answered.await.map_err(|_| Error::ended())??))
    }

    /// The keys and values of a text, as far as the cache holds them.
    pub(crate) async fn export(&self, text: Text) -> Result<Exported, Error> {
        let (answer, answered) = oneshot::channel();
        self.send(Command::Export { text, answer })?;
        answered.await.map_err(|_| Error::ended())?
    }

    /// Puts keys and values that were exported into the cache, if there is room.
    pub(crate) async fn import(&self, text: Text, layers: Vec<Vec<u8>>) -> Result<(), Error> {
        let (answer, answered) = oneshot::channel();
        self.send(Command::Import { text, layers, answer })?;
        answered.await.map_err(|_| Error::ended())?
    }

    /// Frees an adapter, when nothing that runs uses it.
    pub(crate) async fn unload_adapter(&self, id: u64) -> Result<(), Error> {
        let (answer, answered) = oneshot::channel();
        self.send(Command::UnloadAdapter { id, answer })?;
        answered.await.map_err(|_| Error::ended())
    }
}

impl Stream for Signals {
    type Item = Signal;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Signal>> {
        Pin::new(&mut self.received).poll_next(context)
    }
}

impl Signals {
    /// The next signal, when it is there.
    pub(crate) async fn next(&mut self) -> Option<Signal> {
        std::future::poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        // a driver that has ended runs nothing
        let _ = self.handle.send(Command::Finish(self.ticket));
    }
}
