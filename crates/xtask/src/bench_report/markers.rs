//! Comments in a document between which generated text stands.

const OPEN: &str = "<!-- bench-report: ";
const OPEN_END: &str = " -->";
const CLOSE: &str = "<!-- /bench-report -->";

/// What is wrong with a document's markers.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum MarkerError {
    /// A section is opened whose name nobody knows.
    #[error("line {line} opens the section `{name}`, which `cargo xtask bench-report` does not know")]
    Unknown {
        /// Counted from 1.
        line: usize,
        /// What the document calls it.
        name: String,
    },
    /// A section is opened and not closed before the next one or the end.
    #[error("the section `{name}` that line {line} opens has no `{CLOSE}`")]
    Open {
        /// Counted from 1.
        line: usize,
        /// The section.
        name: String,
    },
    /// A section ends that does not begin.
    #[error("line {line} closes a section that was not opened")]
    Close {
        /// Counted from 1.
        line: usize,
    },
}

/// The line that opens a section.
pub(super) fn opening(name: &str) -> String {
    format!("{OPEN}{name}{OPEN_END}")
}

/// The document with the text of each section between its markers, and the rest as it was.
///
/// A marker is a line of its own; `text_of` says what a section of that name contains, or `None` if there is none.
pub(super) fn fill(
    document: &str,
    mut text_of: impl FnMut(&str) -> Option<String>,
) -> Result<String, MarkerError> {
    let mut filled = String::new();
    let mut open: Option<(usize, &str)> = None;
    for (line, text) in (1..).zip(document.split_inclusive('\n')) {
        let marker = text.trim();
        let name = marker.strip_prefix(OPEN).and_then(|rest| rest.strip_suffix(OPEN_END));
        match (open, name) {
            (Some((line, open)), Some(_)) => return Err(MarkerError::Open { line, name: open.into() }),
            (None, Some(name)) => {
                let text_of_it =
                    text_of(name).ok_or_else(|| MarkerError::Unknown { line, name: name.into() })?;
                filled += text;
                // Markdown wants a table to stand apart from a comment.
                filled += &format!("\n{}\n\n", text_of_it.trim_end());
                open = Some((line, name));
            }
            (Some(_), None) if marker == CLOSE => {
                filled += text;
                open = None;
            }
            (Some(_), None) => {}
            (None, None) if marker == CLOSE => return Err(MarkerError::Close { line }),
            (None, None) => filled += text,
        }
    }
    match open {
        Some((line, name)) => Err(MarkerError::Open { line, name: name.into() }),
        None => Ok(filled),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill_upper(document: &str) -> Result<String, MarkerError> {
        fill(document, |name| (name != "unknown").then(|| name.to_uppercase()))
    }

    #[test]
    fn only_what_stands_between_markers_changes() {
        let document = "before \n<!-- bench-report: one -->\nold\nolder\n<!-- /bench-report -->\r\n\n between\n\
                        <!-- bench-report: two -->\n<!-- /bench-report -->";
        let filled = "before \n<!-- bench-report: one -->\n\nONE\n\n<!-- /bench-report -->\r\n\n between\n\
                      <!-- bench-report: two -->\n\nTWO\n\n<!-- /bench-report -->";
        assert_eq!(fill_upper(document).as_deref(), Ok(filled));
        assert_eq!(fill_upper(filled).as_deref(), Ok(filled), "twice is once");
    }

    #[test]
    fn words_about_markers_are_no_markers() {
        let document = "Write `<!-- bench-report: unknown -->` and `<!-- /bench-report -->`.\n";
        assert_eq!(fill_upper(document).as_deref(), Ok(document));
    }

    #[test]
    fn markers_that_do_not_fit_are_refused() {
        let open = |line| Err(MarkerError::Open { line, name: "one".into() });
        assert_eq!(fill_upper("\n<!-- bench-report: one -->\nrest\n"), open(2));
        assert_eq!(fill_upper("<!-- bench-report: one -->\n<!-- bench-report: two -->\n"), open(1));
        assert_eq!(fill_upper("\n\n<!-- /bench-report -->\n"), Err(MarkerError::Close { line: 3 }));
        let unknown = Err(MarkerError::Unknown { line: 1, name: "unknown".into() });
        assert_eq!(fill_upper("<!-- bench-report: unknown -->\n<!-- /bench-report -->\n"), unknown);
    }
}
