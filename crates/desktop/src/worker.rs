//! Has things done that take time, on threads of their own, and reports what comes of them.

mod keeping;
mod loading;
mod replying;

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use qwill::Model;
use qwill::gpu::HostDevice;
use qwill::hub::HubOptions;

use self::keeping::{Keeper, Work};
use crate::source::cached;
use crate::state::{Effect, Report};

/// How long the end of the program waits for what uses the device. A download may not hear of the end any sooner.
const PATIENCE: Duration = Duration::from_secs(3);

/// Has effects done.
pub struct Worker {
    keeper: Keeper,
    device: HostDevice,
    /// What uses the device.
    busy: Vec<JoinHandle<()>>,
    reporter: Reporter,
    model: Arc<Mutex<Option<Model>>>,
    /// What stops replies, by their numbers.
    stops: HashMap<u64, Arc<AtomicBool>>,
    /// What stops the load that runs, if one does.
    stop_load: Arc<AtomicBool>,
}

/// Sends reports, and has somebody look at them.
#[derive(Clone)]
struct Reporter {
    reports: Sender<Report>,
    wake: Arc<Mutex<Box<dyn Fn() + Send>>>,
}

impl Reporter {
    fn tell(&self, report: Report) {
        // nobody listens when the window is gone
        let _ = self.reports.send(report);
        lock(&self.wake)();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Worker {
    /// One that keeps things in a folder and loads models on a device; its reports come out of the channel.
    pub fn new(folder: &Path, device: HostDevice) -> (Self, Receiver<Report>) {
        let (reports, received) = channel();
        let reporter = Reporter { reports, wake: Arc::new(Mutex::new(Box::new(|| ()))) };
        let worker = Self {
            keeper: Keeper::start(folder, reporter.clone()),
            device,
            busy: Vec::new(),
            reporter,
            model: Arc::default(),
            stops: HashMap::new(),
            stop_load: Arc::default(),
        };
        (worker, received)
    }

    /// Says what is to be done when there is a report.
    pub fn wake_by(&self, wake: impl Fn() + Send + 'static) {
        *lock(&self.reporter.wake) = Box::new(wake);
    }

    /// The device that models are on.
    pub fn device(&self) -> &HostDevice {
        &self.device
    }

    /// Has something done.
    pub fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Reply { id, request } => {
                let stop = Arc::new(AtomicBool::new(false));
                self.stops.retain(|_, stop| Arc::strong_count(stop) > 1);
                self.stops.insert(id, stop.clone());
                let (model, reporter) = (lock(&self.model).clone(), self.reporter.clone());
                self.occupy(move || replying::reply(model, id, &request, &stop, &reporter));
            }
            Effect::StopReply(id) => {
                if let Some(stop) = self.stops.get(&id) {
                    stop.store(true, Ordering::Relaxed);
                }
            }
            Effect::Keep(conversation) => self.write(Work::Keep(conversation)),
            Effect::Remove(id) => self.write(Work::Remove(id)),
            Effect::Export(conversation, export) => self.write(Work::Export(conversation, export)),
            Effect::KeepSettings(settings) => self.write(Work::KeepSettings(settings)),
            Effect::Load { source, options } => {
                self.stop_load.store(true, Ordering::Relaxed);
                self.stop_load = Arc::default();
                let load = loading::Load {
                    source,
                    options: *options,
                    device: self.device.clone(),
                    model: self.model.clone(),
                    stop: self.stop_load.clone(),
                };
                let reporter = self.reporter.clone();
                self.occupy(move || load.run(&reporter));
            }
            Effect::Plan { source, options } => {
                let reporter = self.reporter.clone();
                let _ = self.start(move || loading::plan(source, &options, &reporter));
            }
            Effect::CancelLoad => self.stop_load.store(true, Ordering::Relaxed),
            Effect::ListCached => {
                let reporter = self.reporter.clone();
                let _ = self.start(move || reporter.tell(Report::Cached(cached(&HubOptions::from_env()))));
            }
        }
    }

    fn start(&self, work: impl FnOnce() + Send + 'static) -> Option<JoinHandle<()>> {
        let started = thread::Builder::new().name("qwill-work".into()).spawn(work);
        started
            .inspect_err(|error| {
                self.reporter.tell(Report::Problem(format!("The system gives no thread: {error}")));
            })
            .ok()
    }

    /// Starts something that uses the device.
    fn occupy(&mut self, work: impl FnOnce() + Send + 'static) {
        self.busy.retain(|running| !running.is_finished());
        let started = self.start(work);
        self.busy.extend(started);
    }

    fn write(&self, work: Work) {
        if let Err(problem) = self.keeper.give(work) {
            self.reporter.tell(Report::Problem(problem));
        }
    }
}

impl Drop for Worker {
    /// A program that ends while a device is in use may crash.
    fn drop(&mut self) {
        self.stop_load.store(true, Ordering::Relaxed);
        self.stops.values().for_each(|stop| stop.store(true, Ordering::Relaxed));
        let begun = Instant::now();
        while self.busy.iter().any(|running| !running.is_finished()) && begun.elapsed() < PATIENCE {
            thread::sleep(Duration::from_millis(5));
        }
    }
}
