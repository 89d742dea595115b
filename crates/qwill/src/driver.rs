//! Whoever owns the engine: takes requests from any number of handles, lets the scheduler decide what runs, runs it, and
//! tells each request what came of it. Natively it has a thread of its own, in a browser it is a task of the tab.

mod command;
mod devices;
#[cfg(test)]
mod engine_tests;
mod factory;
mod handle;
mod spawn;
mod task;
#[cfg(test)]
mod tests;
mod trial;

use std::collections::{HashMap, VecDeque};
use std::future::poll_fn;
use std::pin::Pin;

use futures_channel::mpsc::{TryRecvError, UnboundedReceiver};
use futures_channel::oneshot;
use futures_core::Stream;
use qwill_engine::{Engine, MAX_OUTPUTS, Pending};
use qwill_scheduler::{Adopted, Event, Limits, Reading, RequestId, Scheduler, Text, What};

pub(crate) use self::command::{Cache, Exported, Ticket};
use self::command::{Command, Listener, Run};
pub(crate) use self::devices::Devices;
use self::factory::load_adapter;
pub(crate) use self::factory::{Factory, Facts};
pub(crate) use self::handle::{Handle, Signals};
pub(crate) use self::spawn::spawn;
use crate::Error;

/// Devices in a row that may be lost before a token was drawn.
const MOST_LOSSES: usize = 3;

/// The loop and what it owns.
pub(crate) struct Driver {
    engine: Engine,
    scheduler: Scheduler,
    factory: Factory,
    in_flight: VecDeque<Pending>,
    listeners: HashMap<RequestId, Listener>,
    requests: HashMap<Ticket, RequestId>,
    /// Adapters to be freed when nothing uses them, and who waits for that.
    leaving: Vec<(u64, oneshot::Sender<()>)>,
    /// Devices that were lost since a step last ended well.
    losses: usize,
}

/// Whether there was anything to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Activity {
    Busy,
    Idle,
}

impl Driver {
    /// Around an engine that its factory has made.
    pub(crate) fn new(engine: Engine, factory: Factory) -> Result<Self, Error> {
        let rope = engine.plan().rope.clone();
        let scheduler = Scheduler::new(limits(&engine), move |n_prompt| rope.prompt_class(n_prompt))
            .map_err(|error| Error::Request(error.to_string()))?;
        Ok(Self {
            engine,
            scheduler,
            factory,
            in_flight: VecDeque::new(),
            listeners: HashMap::new(),
            requests: HashMap::new(),
            leaving: Vec::new(),
            losses: 0,
        })
    }

    /// Runs until nobody has a handle.
    async fn run(mut self, mut commands: UnboundedReceiver<Command>) {
        let mut activity = Activity::Idle;
        loop {
            loop {
                let command = match activity {
                    Activity::Idle => poll_fn(|context| Pin::new(&mut commands).poll_next(context)).await,
                    Activity::Busy => match commands.try_recv() {
                        Ok(command) => Some(command),
                        Err(TryRecvError::Closed) => None,
                        Err(TryRecvError::Empty) => break,
                    },
                };
                let Some(command) = command else { return };
                activity = Activity::Busy;
                self.obey(command).await;
            }
            self.free_adapters();
            activity = match self.advance().await {
                Ok(activity) => activity,
                Err(error) => {
                    self.recover(error).await;
                    Activity::Busy
                }
            };
        }
    }

    async fn obey(&mut self, command: Command) {
        match command {
            Command::Run(run) => self.add(*run),
            Command::Finish(ticket) => {
                if let Some(id) = self.requests.remove(&ticket) {
                    self.listeners.remove(&id);
                    self.scheduler.finish(id);
                }
            }
            Command::WithEngine { cache, work } => {
                if let Err(error) = self.drain().await {
                    self.recover(error).await;
                }
                work(&mut self.engine).await;
                if cache == Cache::Overwritten {
                    self.scheduler.lose_device();
                }
            }
            Command::LoadAdapter { files, name, id, answer } => {
                let loaded = load_adapter(&mut self.engine, &files, &name, id).await;
                if loaded.is_ok() {
                    self.factory.adapters.push((files, name, id));
                }
                // nobody may wait any more
                let _ = answer.send(loaded);
            }
            Command::Export { text, answer } => {
                let (pages, n_tokens) = self.scheduler.find(&text);
                let layers = self.engine.export_pages(&pages).await;
                let _ = answer.send(layers.map(|layers| Exported { layers, n_tokens }).map_err(Error::from));
            }
            Command::Import { text, layers, answer } => {
                let _ = answer.send(self.import(&text, &layers));
            }
            Command::UnloadAdapter { id, answer } => self.leaving.push((id, answer)),
        }
    }

    fn add(&mut self, run: Run) {
        let Run { request, listener } = run;
        // it may have been asked for before the adapter was unloaded
        if let Some(id) = listener.adapters.iter().find(|&&id| !self.has_adapter(id)) {
            let message = format!("adapter {id} was unloaded before a request could use it");
            return listener.fail(Error::Request(message));
        }
        match self.scheduler.add(request) {
            Ok(id) => {
                self.requests.insert(listener.ticket, id);
                self.listeners.insert(id, listener);
            }
            Err(refused) => listener.fail(Error::Request(refused.to_string())),
        }
    }

    fn has_adapter(&self, id: u64) -> bool {
        let is_leaving = self.leaving.iter().any(|&(other, _)| other == id);
        !is_leaving && self.factory.adapters.iter().any(|&(_, _, other)| other == id)
    }

    /// Frees the adapters that are to go and that nothing uses any more.
    fn free_adapters(&mut self) {
        let is_used = |id: u64| self.listeners.values().any(|listener| listener.adapters.contains(&id));
        let (used, unused) = std::mem::take(&mut self.leaving).into_iter().partition(|&(id, _)| is_used(id));
        self.leaving = used;
        for (id, answer) in unused {
            self.factory.adapters.retain(|(_, _, other)| *other != id);
            self.engine.unload_adapter(id);
            // nobody may wait any more
            let _ = answer.send(());
        }
    }

    fn import(&mut self, text: &Text, layers: &[Vec<u8>]) -> Result<(), Error> {
        // before the scheduler takes the pages for filled
        self.engine.check_pages(text.tokens.len(), layers)?;
        // without room it is read again
        if let Some(Adopted { pages, first }) = self.scheduler.adopt(text) {
            self.engine.import_pages(&pages, first, layers);
        }
        Ok(())
    }

    /// Hands out steps as far as it is worth it, and takes the answers of the oldest.
    async fn advance(&mut self) -> Result<Activity, Error> {
        while self.in_flight.len() <= self.factory.devices.depth()
            && let Some(step) = self.scheduler.next()
        {
            let (scheduler, n_words) = (&mut self.scheduler, self.engine.list_words());
            self.in_flight.push_back(self.engine.submit(&step, || scheduler.lists(n_words)).await?);
        }
        let Some(oldest) = self.in_flight.pop_front() else { return Ok(Activity::Idle) };
        self.take(oldest).await?;
        Ok(Activity::Busy)
    }

    async fn take(&mut self, oldest: Pending) -> Result<(), Error> {
        let answers = oldest.answers().await?;
        self.losses = 0;
        for event in self.scheduler.take(answers) {
            self.tell(event);
        }
        Ok(())
    }

    fn tell(&mut self, Event { id, what }: Event) {
        let Some(listener) = self.listeners.get(&id) else { return };
        let is_over = match &what {
            What::Token(sampled) => listener.ends.contains(&sampled.id),
            What::Finished(_) => true,
            _ => false,
        };
        let is_heard = listener.signals.unbounded_send(Ok(what)).is_ok();
        if is_over || !is_heard {
            let ticket = listener.ticket;
            self.scheduler.finish(id);
            self.requests.remove(&ticket);
            self.listeners.remove(&id);
        }
    }

    /// Waits for everything that was submitted.
    async fn drain(&mut self) -> Result<(), Error> {
        while let Some(oldest) = self.in_flight.pop_front() {
            self.take(oldest).await?;
        }
        Ok(())
    }

    /// After a device was lost, makes another and lets everything start again; after anything else, tells those who wait.
    async fn recover(&mut self, error: Error) {
        self.in_flight.clear();
        self.scheduler.lose_device();
        // what else fails on a device that was lost fails for that
        let error = match self.engine.gpu.check() {
            Err(lost @ qwill_gpu::Error::Lost(_)) => Error::from(lost),
            _ => error,
        };
        let is_lost = matches!(error, Error::Gpu(qwill_gpu::Error::Lost(_)));
        self.losses += usize::from(is_lost);
        if is_lost && self.losses <= MOST_LOSSES {
            tracing::warn!("the device was lost; the model is loaded again: {error}");
            self.engine.gpu.let_go(&error.to_string());
            match self.factory.rebuild().await {
                Ok(engine) => {
                    self.engine = engine;
                    return;
                }
                Err(reason) => tracing::error!("loading the model again failed: {reason}"),
            }
        }
        for (id, listener) in self.listeners.drain() {
            self.scheduler.finish(id);
            listener.fail(error.again());
        }
        self.requests.clear();
    }
}

/// What an engine was made for.
fn limits(engine: &Engine) -> Limits {
    let options = &engine.options;
    Limits {
        n_pages: options.n_pages,
        n_slots: options.n_slots,
        chunk: options.chunk,
        max_outputs: MAX_OUTPUTS,
        context_length: options.context_length,
        vocab_size: engine.plan().dims.vocab_size,
        reading: match engine.plan().direction {
            qwill_models::Direction::Causal => Reading::Causal,
            qwill_models::Direction::Both => Reading::WholeText,
        },
    }
}
