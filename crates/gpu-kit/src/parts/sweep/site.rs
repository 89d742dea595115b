//! A place in a model where a choice shows, and how a candidate does there.

use std::fmt::Debug;

use qwill_kernels::{Error, Launch, StepShape};
use qwill_testkit::Rig;
use serde::Serialize;
use serde_json::Value;

use crate::caught::caught;
use crate::measure::Stopwatch;

/// Errors of f32 sums, relative to the magnitude of what is summed.
const TOLERANCE: f64 = 2e-6;
/// Bytes that a round of launches should read, so that no cache holds them from one round to the next.
pub(super) const BEYOND_CACHES: u64 = 256 << 20;

/// A place in a model where a choice between `T`s shows.
pub(super) trait Site<T> {
    /// The model, the place, sizes and format.
    fn name(&self) -> String;
    /// What becomes of a candidate here.
    fn as_taken(&self, candidate: T) -> T;
    /// Binds the launches of a round with the rig's tuning.
    fn bind(&mut self, rig: &mut Rig) -> Result<Vec<Launch>, Error>;
    /// The step that they run in.
    fn step(&self) -> StepShape;
    /// Bytes that a round of what was bound reads, and floating-point operations in it.
    fn cost(&self) -> (f64, f64);
    /// The worst error of what a round left, as a share of its scale.
    fn worst_error(&self, rig: &Rig) -> f64;
}

/// What was found at a site.
#[derive(Debug, Serialize)]
pub(super) struct Found {
    choice: &'static str,
    pub(super) site: String,
    /// The present choice first.
    pub(super) candidates: Vec<Candidate>,
    /// The place of the fastest that is right, in these.
    best: Option<usize>,
}

/// How a candidate did.
#[derive(Debug, Serialize)]
pub(super) struct Candidate {
    shape: Value,
    /// Of one round.
    microseconds: f64,
    gbps: f64,
    gflops: f64,
    worst_error: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<String>,
}

impl Found {
    pub(super) fn new(choice: &'static str, site: String) -> Self {
        Self { choice, site, candidates: Vec::new(), best: None }
    }

    /// How many times as fast as the present choice the best one is.
    pub(super) fn gain(&self) -> Option<f64> {
        Some(self.candidates.first()?.microseconds / self.candidates[self.best?].microseconds)
    }
}

/// Checks and times a candidate with which the rig was tuned; its seconds, infinitely many if it is wrong.
pub(super) fn measure<T: Debug + Serialize>(
    rig: &mut Rig,
    watch: &Stopwatch,
    site: &mut dyn Site<T>,
    shape: T,
    found: &mut Found,
) -> f64 {
    let measured = caught(|| -> Result<(f64, f64), String> {
        let launches = site.bind(rig).map_err(|error| error.to_string())?;
        let step = site.step();
        rig.run(&launches, step.clone());
        let worst_error = site.worst_error(rig);
        if worst_error > TOLERANCE {
            return Err(format!("worst error {worst_error:.2e} of the scale; {TOLERANCE:.0e} is allowed"));
        }
        let seconds = watch.seconds(rig.gpu(), |rounds| {
            let mut recorded = rig.gpu().step();
            for _ in 0..rounds {
                launches.iter().for_each(|launch| recorded.run(&launch.dispatch, launch.grid(&step)));
            }
            recorded.submit();
        });
        Ok((seconds.map_err(|error| error.to_string())?, worst_error))
    });
    let (seconds, worst_error, error) = match measured {
        Ok(Ok((seconds, worst_error))) => (seconds, worst_error, None),
        Ok(Err(error)) | Err(error) => {
            (f64::INFINITY, f64::NAN, Some(format!("{} as {shape:?}: {error}", found.site)))
        }
    };
    let (bytes, flops) = site.cost();
    let is_best = found.best.is_none_or(|best| seconds * 1e6 < found.candidates[best].microseconds);
    if error.is_none() && is_best {
        found.best = Some(found.candidates.len());
    }
    found.candidates.push(Candidate {
        shape: serde_json::to_value(&shape).unwrap_or_default(),
        microseconds: seconds * 1e6,
        gbps: bytes / seconds / 1e9,
        gflops: flops / seconds / 1e9,
        worst_error,
        error,
    });
    seconds
}
