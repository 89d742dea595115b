//! Where in a schema something is.

/// Words for a pointer, behind what is wrong there.
pub(crate) fn name(pointer: &str) -> String {
    if pointer.is_empty() { String::new() } else { format!(" (at {pointer})") }
}

/// A key as pointers have it.
pub(super) fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}
