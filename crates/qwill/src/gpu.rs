//! Sharing a device with the program that models are part of: a window that draws on it, say.
//!
//! wgpu's buffers and textures are a device's own, and two devices of one GPU wait for each other. A program that draws with
//! wgpu asks for its device with [`wanted`], and hands it to [`Model::load_on`](crate::Model::load_on) as a [`HostDevice`].
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use qwill::gpu::{HostDevice, wanted, wgpu};
//! use qwill::{Control, LoadOptions, Model, ModelFiles};
//!
//! let instance = wgpu::Instance::default();
//! let adapter = instance.request_adapter(&wgpu::RequestAdapterOptions::default()).await?;
//! let (device, queue) = adapter.request_device(&wanted(&adapter)).await?;
//! let host = HostDevice::new(&adapter, &device, &queue);
//! let files = ModelFiles::from_path("Qwen3-0.6B-Q8_0.gguf")?;
//! let model = Model::load_on(&host, files, &LoadOptions::default(), &mut |_| Control::Continue).await?;
//! # Ok(()) }
//! ```
//!
//! # What stays the program's
//!
//! The device's handlers: `on_uncaptured_error` and `set_device_lost_callback` are neither set nor replaced. Errors of a model's
//! own work go to the model, by error scopes of the thread that it runs on; a model needs the program to forward nothing. A program
//! without a handler for uncaptured errors ends with a panic at its own first one, which is wgpu's default.
//!
//! # When the device is lost
//!
//! A model opens its own device again; the program's it cannot. It waits until the program has opened another and says so with
//! [`HostDevice::replace`], loads itself onto it, and lets every reply go on where it was. Requests that come in the meantime
//! wait, too. When every [`HostDevice`] is dropped instead, they fail with the code `device-lost`. Libraries that draw may panic on
//! a lost device: [`is_lost`] tells before a frame is begun, sooner than a handler.
//!
//! # Whose turn it is
//!
//! Submits of one queue are done in order, so a frame waits for the steps that were submitted before it. Models on a program's
//! device therefore have one step out at a time, and read prompts in steps of 128 tokens, unless [`LoadOptions::prefill_chunk`](crate::LoadOptions::prefill_chunk)
//! says otherwise: shorter steps let frames through more often, longer ones read faster.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use qwill_gpu::GpuOptions;
pub use qwill_gpu::{is_lost, wanted, wgpu};

use crate::Error;

/// A device that a program has opened, with [`wanted`], and lets models use. Clones are the same one.
#[derive(Clone)]
pub struct HostDevice(Arc<Giver>);

impl std::fmt::Debug for HostDevice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("HostDevice").field(&self.0.0.lock().opened.adapter.get_info().name).finish()
    }
}

/// What all clones of a program's end share.
struct Giver(Arc<Slot>);

impl Drop for Giver {
    fn drop(&mut self) {
        self.0.change(|state| state.is_given_up = true);
    }
}

/// What the program and its models share.
struct Slot(Mutex<State>);

struct State {
    opened: Opened,
    /// How many devices there were so far.
    n_devices: u64,
    /// The program gives no other.
    is_given_up: bool,
    waiting: Vec<Waker>,
}

/// An open device.
#[derive(Clone)]
struct Opened {
    adapter: wgpu::Adapter,
    device: wgpu::Device,
    queue: wgpu::Queue,
}

impl Slot {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes something that models may wait for.
    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.lock();
        change(&mut state);
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        waiting.into_iter().for_each(Waker::wake);
    }
}

impl HostDevice {
    /// Lets models use a device.
    pub fn new(adapter: &wgpu::Adapter, device: &wgpu::Device, queue: &wgpu::Queue) -> Self {
        let state = State {
            opened: Opened { adapter: adapter.clone(), device: device.clone(), queue: queue.clone() },
            n_devices: 1,
            is_given_up: false,
            waiting: Vec::new(),
        };
        Self(Arc::new(Giver(Arc::new(Slot(Mutex::new(state))))))
    }

    /// Lets models go on with another device, when the one before was lost.
    ///
    /// ```no_run
    /// # async fn example(host: &qwill::gpu::HostDevice, adapter: qwill::gpu::wgpu::Adapter)
    /// # -> Result<(), Box<dyn std::error::Error>> {
    /// let (device, queue) = adapter.request_device(&qwill::gpu::wanted(&adapter)).await?;
    /// host.replace(&adapter, &device, &queue);
    /// # Ok(()) }
    /// ```
    pub fn replace(&self, adapter: &wgpu::Adapter, device: &wgpu::Device, queue: &wgpu::Queue) {
        self.0.0.change(|state| {
            state.opened = Opened { adapter: adapter.clone(), device: device.clone(), queue: queue.clone() };
            state.n_devices += 1;
        });
    }

    /// What a model takes its devices from.
    pub(crate) fn lease(&self) -> Lease {
        Lease { slot: self.0.0.clone(), n_used: 0, ending: Arc::default() }
    }
}

/// A model's end.
pub(crate) struct Lease {
    slot: Arc<Slot>,
    /// How many devices there had been when it took the last.
    n_used: u64,
    ending: Arc<Mutex<bool>>,
}

/// Ends the waiting for another device. What it holds stays behind its type, so that compilers need not look through all of wgpu to
/// see that a model may go to another thread.
pub(crate) type Ending = Box<dyn Fn() + Send + Sync>;

impl Lease {
    pub(crate) fn ending(&self) -> Ending {
        let (slot, ending) = (self.slot.clone(), self.ending.clone());
        Box::new(move || {
            *ending.lock().unwrap_or_else(PoisonError::into_inner) = true;
            slot.change(|_| ());
        })
    }

    /// The program's device, if need be when it has opened one that was not taken before.
    pub(crate) async fn open(&mut self, options: &GpuOptions) -> Result<qwill_gpu::Gpu, Error> {
        let Opened { adapter, device, queue } = std::future::poll_fn(|context| self.poll(context)).await?;
        Ok(qwill_gpu::Gpu::from_wgpu(&adapter, device, queue, options))
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<Opened, Error>> {
        let mut state = self.slot.lock();
        if state.n_devices > self.n_used {
            self.n_used = state.n_devices;
            return Poll::Ready(Ok(state.opened.clone()));
        }
        if state.is_given_up || *self.ending.lock().unwrap_or_else(PoisonError::into_inner) {
            let reason = "the program that opened it opens no other".into();
            return Poll::Ready(Err(qwill_gpu::Error::Lost(reason).into()));
        }
        state.waiting.push(context.waker().clone());
        Poll::Pending
    }
}
