//! `kernels`: every kernel against its CPU twin, at sizes of released models.

use std::time::Instant;

use qwill_testkit::checks::{CHECKS, Check, Outcome};
use qwill_testkit::{Depth, Rig};
use serde::Serialize;

use crate::caught::caught;
use crate::failure::Stop;
use crate::job::{Job, Size};

/// What is run under which masks, in this order.
const TURNS: [(Depth, &str); 6] = [
    (Depth::Real, ""),
    (Depth::Full, ""),
    (Depth::Full, "no-subgroups"),
    (Depth::Full, "no-f16"),
    (Depth::Full, "max-binding=128MiB"),
    (Depth::Real, "no-subgroups"),
];

/// How a check went.
#[derive(Debug, Serialize)]
struct Checked {
    kernel: &'static str,
    mask: &'static str,
    depth: String,
    cases: usize,
    /// Cases that there was no time for.
    skipped: usize,
    /// The worst error as a share of what is added up.
    worst: f64,
    seconds: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// Compares all of them.
pub(crate) fn run(job: &mut Job) -> Result<String, Stop> {
    let turns: &[(Depth, &str)] = match job.size {
        Size::Full => &TURNS,
        Size::Quick => &[(Depth::Quick, "")],
    };
    let mut done: Vec<Checked> = Vec::new();
    let all = turns.iter().flat_map(|turn| CHECKS.iter().map(move |check| (turn, check)));
    let n_all = all.clone().count();
    for (&(depth, mask), check) in all {
        if job.is_late() {
            break;
        }
        done.push(checked(check, depth, mask, job.deadline));
        job.save(&done)?;
    }
    let cases: usize = done.iter().map(|checked| checked.cases).sum();
    let skipped: usize = done.iter().map(|checked| checked.skipped).sum();
    let failed: Vec<&Checked> = done.iter().filter(|checked| checked.error.is_some()).collect();
    let worst = done.iter().map(|checked| checked.worst).fold(0.0, f64::max);
    let found = format!(
        "{} of {n_all} checks, {} failed; {cases} cases, {skipped} skipped, worst error {worst:.1e}",
        done.len(),
        failed.len()
    );
    match failed.first() {
        Some(Checked { kernel, mask, error, .. }) => {
            let error = error.as_deref().unwrap_or_default();
            Err(Stop::Failed(format!("{found}; first {kernel} [{mask}]: {error}")))
        }
        None if skipped > 0 || done.len() < n_all => Err(Stop::OutOfTime(found)),
        None => Ok(found),
    }
}

fn checked(check: &Check, depth: Depth, mask: &'static str, deadline: Instant) -> Checked {
    let started = Instant::now();
    let outcome = caught(|| {
        let mut rig = Rig::open(mask);
        rig.set_deadline(deadline);
        (check.run)(&mut rig, depth)
    });
    let (Outcome { worst, cases, skipped }, error) = match outcome {
        Ok(Outcome { cases: 0, skipped: 0, .. }) => (Outcome::default(), Some("it has no cases".to_owned())),
        Ok(outcome) => (outcome, None),
        Err(error) => (Outcome::default(), Some(error)),
    };
    let seconds = started.elapsed().as_secs_f64();
    Checked { kernel: check.name, mask, depth: format!("{depth:?}"), cases, skipped, worst, seconds, error }
}
