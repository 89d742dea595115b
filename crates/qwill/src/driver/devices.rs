//! Where a model's device comes from.

use qwill_engine::MAX_STEPS;
use qwill_gpu::{Gpu, GpuOptions};

use crate::Error;
#[cfg(not(target_arch = "wasm32"))]
use crate::gpu::{Ending, Lease};

/// Where a model's device comes from, the first and those that take the place of one that was lost.
pub(crate) enum Devices {
    /// It is opened for the model alone.
    Own,
    /// It is the program's, which draws on it too.
    #[cfg(not(target_arch = "wasm32"))]
    Host(Lease),
}

/// Steps submitted behind the one whose answers are waited for. A browser's event loop answers later than a driver does.
const DEPTH: usize = if cfg!(target_arch = "wasm32") { 4 } else { 2 };
const _: () = assert!(DEPTH < MAX_STEPS);

/// The same where a program draws: a frame waits for all that was submitted before it.
#[cfg(not(target_arch = "wasm32"))]
const HOST_DEPTH: usize = 0;

impl Devices {
    /// How many steps are submitted behind the one whose answers are waited for.
    pub(super) fn depth(&self) -> usize {
        match self {
            Self::Own => DEPTH,
            #[cfg(not(target_arch = "wasm32"))]
            Self::Host(_) => HOST_DEPTH,
        }
    }

    /// A device that was not taken before.
    pub(super) async fn open(&mut self, options: &GpuOptions) -> Result<Gpu, Error> {
        match self {
            Self::Own => Ok(Gpu::open(options).await?),
            #[cfg(not(target_arch = "wasm32"))]
            Self::Host(lease) => lease.open(options).await,
        }
    }

    /// What ends the waiting for a program's device.
    #[cfg(not(target_arch = "wasm32"))]
    pub(super) fn ending(&self) -> Option<Ending> {
        match self {
            Self::Own => None,
            Self::Host(lease) => Some(lease.ending()),
        }
    }
}
