//! Where programs keep what they can make or fetch again.

use std::path::PathBuf;

/// The user's cache folder.
pub(crate) fn of_user() -> Option<PathBuf> {
    let caches = std::env::var_os("XDG_CACHE_HOME").filter(|folder| !folder.is_empty()).map(PathBuf::from);
    caches.or_else(|| Some(std::env::home_dir()?.join(".cache")))
}
