//! Ctrl-C: stops a reply while one is made, and the program otherwise.

use std::sync::atomic::{AtomicU8, Ordering};

use qwill::Control;

use crate::failure::Failure;

/// What shells say of a program that Ctrl-C ended.
const ENDED: i32 = 130;

const IDLE: u8 = 0;
const REPLYING: u8 = 1;
const STOPPING: u8 = 2;

static STATE: AtomicU8 = AtomicU8::new(IDLE);

/// From now on Ctrl-C is ours. At the prompt it is a key like others, which the editor reads.
pub(super) fn listen() -> Result<(), Failure> {
    Ok(ctrlc::set_handler(|| {
        let begun = STATE.compare_exchange(REPLYING, STOPPING, Ordering::Relaxed, Ordering::Relaxed);
        if begun.is_err() {
            std::process::exit(ENDED);
        }
    })?)
}

/// A reply that Ctrl-C stops.
pub(super) struct Replying(());

impl Replying {
    pub(super) fn begin() -> Self {
        STATE.store(REPLYING, Ordering::Relaxed);
        Self(())
    }

    /// Whether it goes on.
    pub(super) fn control(&self) -> Control {
        if STATE.load(Ordering::Relaxed) == STOPPING { Control::Stop } else { Control::Continue }
    }
}

impl Drop for Replying {
    fn drop(&mut self) {
        STATE.store(IDLE, Ordering::Relaxed);
    }
}
