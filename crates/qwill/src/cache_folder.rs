//! Where programs keep what they can make or fetch again.

use std::path::PathBuf;

/// The user's cache folder.
pub(crate) fn of_user() -> Option<PathBuf> {
    let caches = std::env::var_os("XDG_CACHE_HOME").filter(|folder| !folder.is_empty()).map(PathBuf::from);
    caches.or_else(|| Some(std::env::home_dir()?.join(".cache")))
}

/// The folder in the user's cache where this library keeps what it finds out about devices, and programs may keep what is
/// theirs; nothing if the user has no home.
///
/// ```
/// assert!(qwill::cache_folder().is_none_or(|folder| folder.ends_with("qwill")));
/// ```
pub fn cache_folder() -> Option<PathBuf> {
    Some(of_user()?.join("qwill"))
}
