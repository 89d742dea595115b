//! Why a wait failed.

use crate::{Error, Gpu};

impl Gpu {
    /// The device's loss if that is why a wait failed, otherwise `reason`.
    pub(crate) async fn failure(&self, reason: String) -> Error {
        #[cfg(target_arch = "wasm32")]
        browser::hear_of_loss(self).await;
        self.health.failure(reason)
    }
}

/// Browsers fail what waits for a device before they say that it was lost.
#[cfg(target_arch = "wasm32")]
mod browser {
    use futures_channel::oneshot;
    use wasm_bindgen::prelude::*;

    use crate::{Error, Gpu};

    /// How often a browser is asked, and how long it has until the next time.
    const TIMES: usize = 20;
    const MS: u32 = 10;

    #[wasm_bindgen]
    extern "C" {
        #[wasm_bindgen(js_name = setTimeout)]
        fn set_timeout(callback: JsValue, ms: u32) -> JsValue;
    }

    /// Waits until the device is known to be lost, but not for long.
    pub(super) async fn hear_of_loss(gpu: &Gpu) {
        for _ in 0..TIMES {
            if matches!(gpu.check(), Err(Error::Lost(_))) {
                return;
            }
            let (sender, passed) = oneshot::channel::<()>();
            // it is called once: then the sender is dropped, which is what is waited for
            set_timeout(Closure::once_into_js(move || drop(sender)), MS);
            let _ = passed.await;
        }
    }
}
