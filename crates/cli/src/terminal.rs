//! What a person who watches sees beside the output: notes and bars, on standard error.

use std::io::Write;

use console::{Style, Term};
use indicatif::{ProgressBar, ProgressStyle};

/// Tells a person something, dimmed where there are colours. Nobody is served by an end for want of readers.
pub(crate) fn note(text: &str) {
    let style = Style::new().for_stderr().dim();
    let _ = writeln!(std::io::stderr(), "{}", style.apply_to(text));
}

/// A bar for bytes or tokens; hidden unless a person is watching, on a terminal that can draw it.
pub(crate) fn progress_bar(template: &str) -> ProgressBar {
    let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    let is_watched = Term::stderr().is_term() && !is_dumb;
    let bar = if is_watched { ProgressBar::new(0) } else { ProgressBar::hidden() };
    bar.set_style(ProgressStyle::with_template(template).expect("the templates are constant"));
    bar
}
