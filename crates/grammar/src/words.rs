//! What llguidance says, for people who do not know it.

/// When no token is allowed, where one must follow.
pub(crate) const NOTHING: &str = "nothing may follow";

/// A reason in words, not too long: llguidance repeats grammars in it.
pub(crate) fn plain(reason: &str) -> String {
    const MOST: usize = 600;
    // marks of what is meant for its developers
    let end = ["\n<backtrace>", "\n<non-verbose/>", "<non-verbose/>"]
        .iter()
        .filter_map(|mark| reason.find(mark))
        .min();
    let reason = reason[..end.unwrap_or(reason.len())].trim();
    for (begin, words) in [
        ("NoExtensionBias", NOTHING),
        (
            "oneOf constraints",
            "\"oneOf\" is not supported where a value may be more than one of its options: \"anyOf\" is",
        ),
        ("Unable to determine if regex is empty", "its patterns together are too complicated"),
    ] {
        if reason.starts_with(begin) {
            return words.into();
        }
    }
    match reason.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &reason[..end]),
        None => reason.to_owned(),
    }
}
