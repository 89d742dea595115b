//! A panic leaves promises that never settle, so whoever waits for them must be told.

use std::cell::RefCell;

use js_sys::Function;
use wasm_bindgen::prelude::*;

thread_local! {
    static CALLBACK: RefCell<Option<Function>> = const { RefCell::new(None) };
}

/// Calls `callback` with a message when this module panics, after which nothing in it may be used.
#[wasm_bindgen(js_name = onPanic)]
pub fn on_panic(callback: Function) {
    CALLBACK.set(Some(callback));
    std::panic::set_hook(Box::new(|info| {
        let message = JsValue::from(info.to_string());
        CALLBACK.with_borrow(|callback| {
            if let Some(callback) = callback {
                // There is nobody left to tell that telling failed.
                let _ = callback.call1(&JsValue::NULL, &message);
            }
        });
    }));
}
