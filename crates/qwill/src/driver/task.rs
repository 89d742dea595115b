//! Tasks that stay on the thread where they began: what drives a device is not sent.

use std::future::Future;

use crate::Error;

/// A task that runs.
#[cfg(not(target_arch = "wasm32"))]
pub(super) struct Running(std::thread::JoinHandle<()>);

/// A task that runs.
#[cfg(target_arch = "wasm32")]
pub(super) struct Running;

impl Running {
    /// Waits until it has ended, where that is possible: in a browser nothing may wait, and nothing ends either.
    pub(super) fn wait(self) {
        #[cfg(not(target_arch = "wasm32"))]
        if self.0.thread().id() != std::thread::current().id() {
            // a panic was told to those who waited for something
            let _ = self.0.join();
        }
    }
}

/// Runs a task that stays where it is.
#[cfg(not(target_arch = "wasm32"))]
pub(super) fn start<F: Future<Output = ()> + 'static>(
    task: impl FnOnce() -> F + Send + 'static,
) -> Result<Running, Error> {
    // what compiles shaders recurses deeply
    const STACK_BYTES: usize = 16 << 20;
    let thread = std::thread::Builder::new().name("qwill".into()).stack_size(STACK_BYTES);
    let running = thread.spawn(move || pollster::block_on(task()));
    running.map(Running).map_err(|error| Error::Kernel(format!("it gets no thread: {error}")))
}

/// Runs a task that stays where it is.
#[cfg(target_arch = "wasm32")]
pub(super) fn start<F: Future<Output = ()> + 'static>(
    task: impl FnOnce() -> F + 'static,
) -> Result<Running, Error> {
    wasm_bindgen_futures::spawn_local(task());
    Ok(Running)
}
