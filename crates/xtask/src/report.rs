//! The summary after a run: each step with its time and how it ended, and what was skipped and why.

use crate::error::{Error, Result};
use crate::step::Step;
use std::fmt;
use std::time::Duration;

/// How a step ended.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// Well, in this time.
    Passed(Duration),
    /// Badly, after this time and for this reason.
    Failed(Duration, Error),
    /// It did not run, for this reason.
    Skipped(String),
}

/// The outcomes of a run.
#[derive(Debug, Default)]
pub(crate) struct Report {
    rows: Vec<(Step, Outcome)>,
}

impl Report {
    /// Adds a step that is over.
    pub(crate) fn add(&mut self, step: Step, outcome: Outcome) {
        self.rows.push((step, outcome));
    }

    /// Whether a step ran and passed.
    pub(crate) fn passed(&self, step: Step) -> bool {
        self.rows.iter().any(|(other, outcome)| *other == step && matches!(outcome, Outcome::Passed(_)))
    }

    /// The run's result: an error when anything failed.
    pub(crate) fn result(&self) -> Result<()> {
        match self.count(|outcome| matches!(outcome, Outcome::Failed(..))) {
            0 => Ok(()),
            failed => Err(Error::Steps { failed, total: self.rows.len() }),
        }
    }

    fn count(&self, which: impl Fn(&Outcome) -> bool) -> usize {
        self.rows.iter().filter(|(_, outcome)| which(outcome)).count()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (step, outcome) in &self.rows {
            if let Outcome::Failed(_, error) = outcome
                && !error.said().is_empty()
            {
                writeln!(f, "== the last lines of {} ==\n{}\n", step.name(), error.said())?;
            }
        }
        let width = self.rows.iter().map(|(step, _)| step.name().len()).max().unwrap_or(0);
        let mut total = Duration::ZERO;
        for (step, outcome) in &self.rows {
            write!(f, "  {:width$}  ", step.name())?;
            match outcome {
                Outcome::Passed(time) => writeln!(f, "{:>6}  passed", clock(*time))?,
                Outcome::Failed(time, why) => writeln!(f, "{:>6}  FAILED: {why}", clock(*time))?,
                Outcome::Skipped(why) => writeln!(f, "{:>6}  skipped: {why}", "")?,
            }
            if let Outcome::Passed(time) | Outcome::Failed(time, _) = outcome {
                total += *time;
            }
        }
        writeln!(f, "  {:width$}  {:>6}", "all", clock(total))?;
        let passed = self.count(|outcome| matches!(outcome, Outcome::Passed(_)));
        let failed = self.count(|outcome| matches!(outcome, Outcome::Failed(..)));
        let skipped = self.count(|outcome| matches!(outcome, Outcome::Skipped(_)));
        writeln!(f, "\nsteps: {passed} passed, {failed} failed, {skipped} skipped")?;
        if skipped == 0 {
            write!(f, "Nothing was skipped.")
        } else {
            write!(f, "What was skipped, and why, is said above.")
        }
    }
}

/// Minutes and seconds.
fn clock(time: Duration) -> String {
    format!("{}:{:02}", time.as_secs() / 60, time.as_secs() % 60)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::ExitStatus;

    #[test]
    fn table_says_how_each_step_ended() {
        let mut report = Report::default();
        report.add(Step::Format, Outcome::Passed(Duration::from_secs(2)));
        assert!(report.result().is_ok());
        let error = Error::Failed {
            command: "link".into(),
            status: ExitStatus::default(),
            said: "linking\nno linker".into(),
        };
        report.add(Step::Wasm, Outcome::Failed(Duration::from_secs(75), error));
        report.add(Step::Package, Outcome::Skipped("wasm build did not pass".into()));
        let text = report.to_string();
        assert!(text.contains("  rustfmt       0:02  passed\n"), "{text}");
        assert!(text.contains("  wasm build    1:15  FAILED: `link` failed"), "{text}");
        assert!(text.starts_with("== the last lines of wasm build ==\nlinking\nno linker\n"), "{text}");
        assert!(text.contains("  npm build           skipped: wasm build did not pass\n"), "{text}");
        assert!(text.lines().any(|line| line == "steps: 1 passed, 1 failed, 1 skipped"), "{text}");
        assert!(report.passed(Step::Format) && !report.passed(Step::Wasm) && !report.passed(Step::Package));
        assert!(matches!(report.result(), Err(Error::Steps { failed: 1, total: 3 })));
    }
}
