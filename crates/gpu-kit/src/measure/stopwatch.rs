//! How long a device takes for something.

use std::time::{Duration, Instant};

use pollster::block_on;
use qwill_gpu::{Error, Gpu};

use crate::job::Size;

/// Far more than any work that is worth measuring needs.
const MOST_ROUNDS: u32 = 1 << 16;

/// How much trouble a measurement takes.
pub(crate) struct Stopwatch {
    /// What it takes at least: what comes before and after it does not count then.
    shortest: Duration,
    /// Measurements of which the best counts.
    pub(super) tries: usize,
}

impl Stopwatch {
    /// For sizes that mean something, or for tiny ones.
    pub(crate) fn of(size: Size) -> Self {
        match size {
            Size::Full => Self { shortest: Duration::from_millis(20), tries: 5 },
            Size::Quick => Self { shortest: Duration::from_millis(2), tries: 2 },
        }
    }

    /// Best seconds of one round of what `submit` has the device do so many rounds of; from the submit on, encoding does
    /// not count.
    pub(crate) fn seconds(&self, gpu: &Gpu, submit: impl Fn(u32)) -> Result<f64, Error> {
        let time = |rounds| {
            block_on(gpu.flush())?;
            submit(rounds);
            let started = Instant::now();
            block_on(gpu.flush())?;
            Ok(started.elapsed())
        };
        let mut rounds = 1;
        loop {
            let taken = time(rounds)?;
            if taken >= self.shortest || rounds >= MOST_ROUNDS {
                break;
            }
            let missing = 1.2 * self.shortest.as_secs_f64() / taken.as_secs_f64().max(1e-9);
            rounds = (rounds * (missing.ceil() as u32).clamp(2, 16)).min(MOST_ROUNDS);
        }
        let mut best = f64::INFINITY;
        for _ in 0..self.tries {
            best = best.min(time(rounds)?.as_secs_f64());
        }
        Ok(best / f64::from(rounds))
    }
}
