//! `cargo xtask test`: choosing steps, bringing what they need, running them, and the table at the end.

use crate::error::Result;
use crate::report::{Outcome, Report};
use crate::setup::{self, Consent};
use crate::step::Step;
use crate::tools::Need;
use crate::workspace::{Project, Workspace};
use clap::ValueEnum;
use std::time::Instant;

/// A part of the tests that can be run alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Group {
    /// Formatting and lints of the Rust code, and documents' figures.
    Lint,
    /// The tests of all crates, and the examples.
    Rust,
    /// The wasm module, the npm package and the chat demo, without browsers.
    Npm,
    /// The npm package in Chromium and Firefox.
    Browsers,
    /// OpenAI's, Anthropic's and Ollama's clients against the server.
    Clients,
    /// The desktop program in a window of a virtual screen.
    Desktop,
    /// Short runs of the fuzz targets.
    Fuzz,
    /// The folder for machines with a GPU, run with tiny sizes.
    Kit,
}

impl Group {
    fn steps(self) -> &'static [Step] {
        match self {
            Self::Lint => &[Step::Format, Step::BenchReport, Step::Clippy, Step::ClippyWasm],
            Self::Rust => &[Step::Tests, Step::DocTests, Step::Examples],
            Self::Npm => &[
                Step::Wasm,
                Step::Package,
                Step::Check(Project::Package),
                Step::Unit,
                Step::WebBuild,
                Step::Check(Project::Web),
                Step::Check(Project::BrowserTests),
            ],
            Self::Browsers => &[Step::Browsers],
            Self::Clients => &[Step::Check(Project::ClientTests), Step::Clients, Step::PythonClients],
            Self::Desktop => &[Step::Desktop],
            Self::Fuzz => &[Step::Fuzz],
            Self::Kit => &[Step::GpuKit],
        }
    }
}

/// Runs the named parts of the tests, or all of them.
pub(crate) fn run(ws: &Workspace, only: &[Group], consent: Consent) -> Result<()> {
    let groups = if only.is_empty() { Group::value_variants() } else { only };
    let wanted: Vec<Step> = groups.iter().flat_map(|group| group.steps()).copied().collect();
    run_steps(ws, &wanted, consent)
}

/// Runs steps and those they build on, each in its turn, and prints the summary.
pub(crate) fn run_steps(ws: &Workspace, wanted: &[Step], consent: Consent) -> Result<()> {
    let steps = with_prerequisites(wanted);
    setup::ensure(ws, &needs(&steps), consent)?;
    let mut report = Report::default();
    for step in steps {
        if let Some(why) = step.impossible() {
            report.add(step, Outcome::Skipped(why.into()));
            continue;
        }
        if let Some(missing) = step.after().iter().find(|before| !report.passed(**before)) {
            report.add(step, Outcome::Skipped(format!("{} did not pass", missing.name())));
            continue;
        }
        println!("\n== {} ==", step.name());
        let start = Instant::now();
        let outcome = match step.run(ws) {
            Ok(()) => Outcome::Passed(start.elapsed()),
            Err(error) => {
                eprintln!("  {error}");
                Outcome::Failed(start.elapsed(), error)
            }
        };
        report.add(step, outcome);
    }
    println!("\n{report}");
    report.result()
}

/// The steps in an order in which each comes after those it builds on, none twice.
fn with_prerequisites(wanted: &[Step]) -> Vec<Step> {
    fn add(step: Step, to: &mut Vec<Step>) {
        if !to.contains(&step) {
            step.after().iter().for_each(|before| add(*before, to));
            to.push(step);
        }
    }
    let mut steps = Vec::new();
    wanted.iter().for_each(|step| add(*step, &mut steps));
    steps
}

/// What the steps need together, none twice; nothing for those that cannot run anyway.
fn needs(steps: &[Step]) -> Vec<Need> {
    let mut needs = Vec::new();
    for need in steps.iter().filter(|step| step.impossible().is_none()).flat_map(|step| step.needs()) {
        if !needs.contains(&need) {
            needs.push(need);
        }
    }
    needs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browser_tests_build_the_package_first() {
        assert_eq!(
            with_prerequisites(&[Step::Browsers]),
            [Step::Wasm, Step::Package, Step::WebBuild, Step::Browsers]
        );
    }

    #[test]
    fn everything_runs_once_and_in_order() {
        let all: Vec<Step> =
            Group::value_variants().iter().flat_map(|group| group.steps()).copied().collect();
        let steps = with_prerequisites(&all);
        for (at, step) in steps.iter().enumerate() {
            assert!(!steps[..at].contains(step), "{step:?} runs twice");
            assert!(
                step.after().iter().all(|before| steps[..at].contains(before)),
                "{step:?} runs too early"
            );
        }
        assert!(
            steps.contains(&Step::Browsers) && steps.contains(&Step::Fuzz) && steps.contains(&Step::Tests)
        );
    }

    #[test]
    fn rust_tests_need_no_browser_and_no_node() {
        assert_eq!(needs(&with_prerequisites(Group::Rust.steps())), [Need::Vulkan]);
    }
}
