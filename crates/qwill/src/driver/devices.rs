//! Where a model's device comes from.

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

impl Devices {
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
