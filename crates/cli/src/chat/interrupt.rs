//! Ctrl-C: the first one stops a reply, a second one the program, which may not listen.

use std::sync::atomic::{AtomicBool, Ordering};

use qwill::Control;

use crate::failure::Failure;

/// What shells say of a program that Ctrl-C ended.
const ENDED: i32 = 130;

static IS_PRESSED: AtomicBool = AtomicBool::new(false);

/// From now on Ctrl-C is ours. At the prompt it is a key like others, which the editor reads.
pub(super) fn listen() -> Result<(), Failure> {
    Ok(ctrlc::set_handler(|| {
        if IS_PRESSED.swap(true, Ordering::Relaxed) {
            std::process::exit(ENDED);
        }
    })?)
}

/// Forgets what was pressed before.
pub(super) fn forget() {
    IS_PRESSED.store(false, Ordering::Relaxed);
}

/// Whether a reply goes on.
pub(super) fn control() -> Control {
    if IS_PRESSED.load(Ordering::Relaxed) { Control::Stop } else { Control::Continue }
}
