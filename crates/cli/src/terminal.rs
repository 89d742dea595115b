//! Output, and what a person who watches sees beside it: notes and bars, on standard error.

use std::fmt;
use std::io::Write;

use console::{Style, Term};
use indicatif::{ProgressBar, ProgressStyle};

/// Prints output. Whoever reads no further (`| head -1`) has what was wanted, and the program ends; output that cannot be
/// written is a failure.
pub(crate) fn print_bytes(bytes: &[u8]) {
    let mut out = std::io::stdout().lock();
    if let Err(error) = out.write_all(bytes).and_then(|()| out.flush()) {
        let is_enough = error.kind() == std::io::ErrorKind::BrokenPipe;
        if !is_enough {
            note(&format!("qwill: the output cannot be written: {error}"));
        }
        std::process::exit(i32::from(!is_enough));
    }
}

/// Prints a line of output, as [`print_bytes`] does.
pub(crate) fn print_line(line: fmt::Arguments<'_>) {
    print_bytes(format!("{line}\n").as_bytes());
}

/// `println!` for [`print_line`].
macro_rules! say {
    () => { $crate::terminal::print_line(format_args!("")) };
    ($($text:tt)+) => { $crate::terminal::print_line(format_args!($($text)+)) };
}
pub(crate) use say;

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
