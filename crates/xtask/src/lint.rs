//! `cargo xtask lint`: everything that reads the sources without running them.

use crate::error::Result;
use crate::setup::Consent;
use crate::step::Step;
use crate::test;
use crate::workspace::{Project, Workspace};

/// The tests' lints and, besides, spelling and dependencies: cargo-deny takes minutes to compile,
/// more than every run of the tests should pay.
const STEPS: &[Step] = &[
    Step::Format,
    Step::BenchReport,
    Step::Typos,
    Step::Clippy,
    Step::ClippyWasm,
    Step::Check(Project::Package),
    Step::Check(Project::Web),
    Step::Check(Project::BrowserTests),
    Step::Check(Project::ClientTests),
    Step::Deny,
];

/// Runs them all.
pub(crate) fn run(ws: &Workspace, consent: Consent) -> Result<()> {
    test::run_steps(ws, STEPS, consent)
}
