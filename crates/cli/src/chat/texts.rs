//! Texts of several lines.

const QUOTES: &str = "\"\"\"";

/// Whether the next line belongs to a text too.
pub(super) fn goes_on(text: &str) -> bool {
    match text.trim().strip_prefix(QUOTES) {
        Some(rest) => !rest.ends_with(QUOTES),
        None => text.ends_with('\\'),
    }
}

/// What is meant by a text of several lines.
pub(super) fn meant(text: &str) -> String {
    let quoted = text.trim().strip_prefix(QUOTES).and_then(|rest| rest.strip_suffix(QUOTES));
    match quoted {
        Some(inner) => inner.trim_matches('\n').to_owned(),
        None => text.replace("\\\n", "\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_several_lines_have_an_end() {
        for (text, open) in [
            ("one", false),
            ("one \\", true),
            ("one \\\ntwo", false),
            ("\"\"\"one", true),
            ("\"\"\"", true),
            ("\"\"\"one\ntwo\"\"\"", false),
            ("say \"\"\"", false),
        ] {
            assert_eq!(goes_on(text), open, "{text}");
        }
        assert_eq!(meant("one \\\ntwo"), "one \ntwo");
        assert_eq!(meant("\"\"\"\none\n\ntwo\n\"\"\""), "one\n\ntwo");
        assert_eq!(meant("a \\ b"), "a \\ b");
    }
}
