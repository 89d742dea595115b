//! What has gone wrong on a device.

use std::sync::{Arc, Mutex};

#[cfg(not(target_arch = "wasm32"))]
pub(crate) use self::scopes::Scopes;
#[cfg(not(target_arch = "wasm32"))]
pub use self::scopes::is_lost;
use crate::Error;

/// The first loss and the first error that a device told of.
#[derive(Debug, Default)]
pub(crate) struct Told {
    lost: Option<String>,
    error: Option<String>,
}

impl Told {
    fn lose(&mut self, reason: String) {
        self.lost.get_or_insert(reason);
    }

    fn fail(&mut self, error: &wgpu::Error) {
        tracing::error!("uncaptured GPU error: {error}");
        self.error.get_or_insert(error.to_string());
    }

    fn check(&self) -> Result<(), Error> {
        match (&self.lost, &self.error) {
            (Some(reason), _) => Err(Error::Lost(reason.clone())),
            (None, Some(error)) => Err(Error::Device(error.clone())),
            (None, None) => Ok(()),
        }
    }
}

/// How it is known what has gone wrong on a device.
pub(crate) enum Health {
    /// The device is ours, and tells our handlers.
    Handlers(Arc<Mutex<Told>>),
    /// The device is a program's, which has handlers of its own.
    #[cfg(not(target_arch = "wasm32"))]
    Scopes(Scopes),
}

impl Health {
    /// Has a device tell us.
    pub(crate) fn handle(device: &wgpu::Device) -> Self {
        let told = Arc::new(Mutex::new(Told::default()));
        let on_lost = told.clone();
        device.set_device_lost_callback(move |reason, message| {
            if let Ok(mut told) = on_lost.lock() {
                told.lose(format!("{reason:?} {message}").trim().to_owned());
            }
        });
        let on_error = told.clone();
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
            if let Ok(mut told) = on_error.lock() {
                told.fail(&error);
            }
        }));
        Self::Handlers(told)
    }

    /// The loss, or the first error outside a scope.
    pub(crate) fn check(&self) -> Result<(), Error> {
        match self {
            Self::Handlers(told) => told.lock().map_err(|e| Error::Device(e.to_string()))?.check(),
            #[cfg(not(target_arch = "wasm32"))]
            Self::Scopes(scopes) => scopes.check(),
        }
    }

    /// Why a wait failed.
    pub(crate) fn failure(&self, reason: String) -> Error {
        match self.check() {
            Err(error) => error,
            Ok(()) => match self {
                Self::Handlers(_) => Error::Device(reason),
                #[cfg(not(target_arch = "wasm32"))]
                Self::Scopes(scopes) => scopes.failure(reason),
            },
        }
    }

    /// The device is gone, and nothing more is heard of it.
    pub(crate) fn lose(&self, reason: &str) {
        match self {
            Self::Handlers(told) => {
                if let Ok(mut told) = told.lock() {
                    told.lose(reason.to_owned());
                }
            }
            #[cfg(not(target_arch = "wasm32"))]
            Self::Scopes(scopes) => scopes.lose(reason),
        }
    }
}

/// On a program's device, our errors are kept from the program's handlers, and the program's from us, by scopes that stay
/// open: natively they are the thread's that opened them. (A browser's are the device's, so there it does not work.)
#[cfg(not(target_arch = "wasm32"))]
mod scopes {
    use std::cell::RefCell;

    use futures_util::FutureExt;

    use super::Told;
    use crate::Error;

    const FILTERS: [wgpu::ErrorFilter; 3] =
        [wgpu::ErrorFilter::Internal, wgpu::ErrorFilter::OutOfMemory, wgpu::ErrorFilter::Validation];

    type Open = [wgpu::ErrorScopeGuard; FILTERS.len()];

    /// Scopes of this thread, until the device is lost.
    pub(crate) struct Scopes {
        device: wgpu::Device,
        open: RefCell<Option<Open>>,
        told: RefCell<Told>,
    }

    impl Scopes {
        pub(crate) fn open(device: &wgpu::Device) -> Self {
            let open = RefCell::new(Some(open(device)));
            Self { device: device.clone(), open, told: RefCell::default() }
        }

        /// Looks into the scopes, which are then opened again. No others may be open inside of them.
        pub(super) fn check(&self) -> Result<(), Error> {
            if self.close() {
                *self.open.borrow_mut() = Some(open(&self.device));
            }
            let found = self.told.borrow().check();
            match found {
                Err(Error::Device(reason)) => Err(self.failure(reason)),
                found => found,
            }
        }

        /// What an error means: nothing that is done with a lost device works, and it does not say why.
        pub(super) fn failure(&self, reason: String) -> Error {
            if !is_lost(&self.device) {
                return Error::Device(reason);
            }
            self.lose(&reason);
            Error::Lost(reason)
        }

        pub(super) fn lose(&self, reason: &str) {
            self.close();
            self.told.borrow_mut().lose(reason.to_owned());
        }

        /// Whether they were open.
        fn close(&self) -> bool {
            let Some(scopes) = self.open.borrow_mut().take() else { return false };
            for scope in scopes.into_iter().rev() {
                // natively the answer is there at once
                if let Some(Some(error)) = scope.pop().now_or_never() {
                    self.told.borrow_mut().fail(&error);
                }
            }
            true
        }
    }

    impl Drop for Scopes {
        fn drop(&mut self) {
            self.close();
        }
    }

    /// Whether a device is gone: it makes no buffers any more. Handlers may be told later, when all that was submitted has
    /// ended.
    pub fn is_lost(device: &wgpu::Device) -> bool {
        let scopes = open(device);
        let buffer = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("sign of life"),
            size: wgpu::MAP_ALIGNMENT,
            usage: wgpu::BufferUsages::MAP_WRITE | wgpu::BufferUsages::COPY_SRC,
            mapped_at_creation: true,
        });
        let is_mapped = buffer.slice(..).get_mapped_range_mut().is_ok();
        // its errors say nothing new
        scopes.into_iter().rev().for_each(drop);
        !is_mapped
    }

    fn open(device: &wgpu::Device) -> Open {
        FILTERS.map(|filter| device.push_error_scope(filter))
    }
}
