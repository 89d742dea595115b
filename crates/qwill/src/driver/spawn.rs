//! Where the driver runs.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_channel::mpsc::{UnboundedSender, unbounded};
use futures_channel::oneshot;
use futures_core::Stream;

use super::task::start;
use super::{Devices, Driver, Factory, Facts, Handle};
use crate::{Control, Error, LoadOptions, LoadProgress, ModelFiles};

/// Loads a model where it will run, telling `progress` how far that is.
pub(crate) async fn spawn(
    devices: Devices,
    files: ModelFiles,
    options: LoadOptions,
    progress: &mut dyn FnMut(LoadProgress) -> Control,
) -> Result<(Handle, Facts), Error> {
    let (handle, commands) = Handle::new();
    let (reports, mut reported) = unbounded();
    let (answer, answered) = oneshot::channel();
    let is_stopped = Arc::new(AtomicBool::new(false));
    let stopped = is_stopped.clone();
    #[cfg(not(target_arch = "wasm32"))]
    handle.end_with(devices.ending());
    let running = start(move || async move {
        let mut factory = Factory { devices, files, options, adapters: Vec::new() };
        let built = build(&mut factory, reports, &stopped).await;
        let made = built.and_then(|(engine, facts)| Ok((Driver::new(engine, factory)?, facts)));
        let (made, facts) = match made {
            Ok((driver, facts)) => (Some(driver), Ok(facts)),
            Err(error) => (None, Err(error)),
        };
        // whoever asked may be gone; then the commands are closed too
        let _ = answer.send(facts);
        if let Some(driver) = made {
            driver.run(commands).await;
        }
    })?;
    handle.attach(running);
    while let Some(report) = std::future::poll_fn(|context| Pin::new(&mut reported).poll_next(context)).await
    {
        if progress(report) == Control::Stop {
            is_stopped.store(true, Ordering::Relaxed);
        }
    }
    let facts = answered.await.map_err(|_| Error::Kernel("loading it ended in a panic".into()))?;
    // it may have been loaded before it heard of the stop
    if is_stopped.load(Ordering::Relaxed) && facts.is_ok() {
        return Err(Error::Aborted);
    }
    Ok((handle, facts?))
}

/// Loads, until it is stopped, and reports how far it is.
async fn build(
    factory: &mut Factory,
    reports: UnboundedSender<LoadProgress>,
    stopped: &AtomicBool,
) -> Result<(qwill_engine::Engine, Facts), Error> {
    let mut report = |progress| {
        let is_heard = reports.unbounded_send(progress).is_ok();
        if is_heard && !stopped.load(Ordering::Relaxed) { Control::Continue } else { Control::Stop }
    };
    factory.build(&mut report).await
}
