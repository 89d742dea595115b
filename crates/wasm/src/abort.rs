//! When a caller wants no more.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Poll, Waker};

use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    /// JavaScript's.
    pub type AbortSignal;

    #[wasm_bindgen(method, getter)]
    fn aborted(this: &AbortSignal) -> bool;

    #[wasm_bindgen(method, js_name = addEventListener)]
    fn add_event_listener(this: &AbortSignal, event: &str, listener: &JsValue);

    #[wasm_bindgen(method, js_name = removeEventListener)]
    fn remove_event_listener(this: &AbortSignal, event: &str, listener: &JsValue);
}

/// Listens to a signal, as long as it lives.
pub(crate) struct Abort {
    signal: AbortSignal,
    listener: Closure<dyn FnMut()>,
    /// Of what waits at the moment.
    waker: Rc<RefCell<Option<Waker>>>,
}

impl Abort {
    pub(crate) fn of(signal: AbortSignal) -> Self {
        let waker = Rc::<RefCell<Option<Waker>>>::default();
        let waiting = waker.clone();
        let listener = Closure::<dyn FnMut()>::new(move || {
            if let Some(waker) = waiting.take() {
                waker.wake();
            }
        });
        signal.add_event_listener("abort", listener.as_ref());
        Self { signal, listener, waker }
    }

    /// What comes of `work`; nothing if the signal fires first or has fired.
    pub(crate) async fn or<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        poll_fn(|context| {
            if self.signal.aborted() {
                return Poll::Ready(None);
            }
            self.waker.replace(Some(context.waker().clone()));
            work.as_mut().poll(context).map(Some)
        })
        .await
    }
}

impl Drop for Abort {
    fn drop(&mut self) {
        self.signal.remove_event_listener("abort", self.listener.as_ref());
    }
}
