//! Names and times of answers.

use std::hash::{BuildHasher, RandomState};
use std::time::{SystemTime, UNIX_EPOCH};

/// A name that nothing else has, behind a prefix that says of what it is.
pub(crate) fn fresh(prefix: &str) -> String {
    // the keys of every state differ
    let half = || RandomState::new().hash_one(since_epoch().as_nanos());
    format!("{prefix}{:016x}{:016x}", half(), half())
}

/// Seconds since 1970.
pub(crate) fn now() -> u64 {
    since_epoch().as_secs()
}

/// The time since 1970.
pub(crate) fn since_epoch() -> std::time::Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
