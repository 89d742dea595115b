//! The table at the end: how each part ended, and what it found.

use std::fmt;

/// How a part ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// It passed.
    Ok,
    /// It found something wrong, or crashed.
    Failed,
    /// It was stopped before it was done.
    TimedOut,
    /// The time was up before it began.
    NotReached,
}

impl State {
    fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "failed",
            Self::TimedOut => "timed out",
            Self::NotReached => "not reached",
        }
    }
}

/// A line of the table.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    /// The part.
    pub(crate) part: &'static str,
    /// How it ended.
    pub(crate) state: State,
    /// How long it ran.
    pub(crate) seconds: f64,
    /// What it found, or what went wrong.
    pub(crate) finding: String,
}

/// The table so far.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    rows: Vec<Row>,
}

impl Summary {
    /// Adds a part that is over.
    pub(crate) fn add(&mut self, row: Row) {
        self.rows.push(row);
    }

    /// Whether every part passed.
    pub(crate) fn is_ok(&self) -> bool {
        self.rows.iter().all(|row| row.state == State::Ok)
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // a line is a line
        let finding: Vec<&str> = self.finding.split_whitespace().collect();
        let mut finding = finding.join(" ");
        if let Some((end, _)) = finding.char_indices().nth(400) {
            finding.truncate(end);
            finding.push('…');
        }
        write!(f, "{:<8} {:<11} {:>6.1} s  {finding}", self.part, self.state.name(), self.seconds)
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.rows.iter().try_for_each(|row| writeln!(f, "{row}"))?;
        let passed = self.rows.iter().filter(|row| row.state == State::Ok).count();
        let seconds: f64 = self.rows.iter().map(|row| row.seconds).sum();
        writeln!(f, "{passed} of {} parts passed in {seconds:.0} s", self.rows.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_a_line() {
        let mut summary = Summary::default();
        let row = |part, state, finding: &str| Row { part, state, seconds: 1.25, finding: finding.into() };
        summary.add(row("device", State::Ok, "a GPU"));
        assert!(summary.is_ok());
        summary.add(row("right", State::Failed, "two\nlines"));
        summary.add(row("load", State::NotReached, &"ä".repeat(500)));
        let text = summary.to_string();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "device   ok             1.2 s  a GPU");
        assert_eq!(lines[1], "right    failed         1.2 s  two lines");
        assert!(lines[2].ends_with('…') && lines[2].chars().count() < 450);
        assert_eq!(lines[3], "1 of 3 parts passed in 4 s");
        assert!(!summary.is_ok());
    }
}
