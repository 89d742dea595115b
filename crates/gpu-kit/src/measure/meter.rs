//! A device with a stopwatch.

use std::time::{Duration, Instant};

use pollster::block_on;
use qwill_gpu::{Dispatch, Error, Gpu, GpuOptions, Grid, KernelSource, ParamArena, Usage, wgpu};

use crate::job::Size;

/// A device to measure, and how much trouble to take.
pub(crate) struct Meter {
    /// The device.
    pub(crate) gpu: Gpu,
    arena: ParamArena,
    /// What a measurement takes at least: what comes before and after it does not count then.
    shortest: Duration,
    /// Measurements of which the best counts.
    tries: usize,
}

/// Far more than any work that is worth measuring needs.
const MOST_ROUNDS: u32 = 1 << 16;

impl Meter {
    /// Opens the device, with experimental or other features where it has them.
    pub(crate) fn open(extra_features: wgpu::Features, size: Size) -> Result<Self, Error> {
        let gpu = block_on(Gpu::open(&GpuOptions { extra_features, ..GpuOptions::default() }))?;
        let arena = block_on(ParamArena::new(&gpu))?;
        let (shortest, tries) = match size {
            Size::Full => (Duration::from_millis(20), 5),
            Size::Quick => (Duration::from_millis(2), 2),
        };
        Ok(Self { gpu, arena, shortest, tries })
    }

    /// A buffer of zeros.
    pub(crate) fn zeros(&self, bytes: u64) -> Result<wgpu::Buffer, Error> {
        block_on(self.gpu.buffer("measured", bytes, Usage::Storage))
    }

    /// A buffer that begins with these bytes.
    pub(crate) fn buffer(&self, bytes: &[u8]) -> Result<wgpu::Buffer, Error> {
        let buffer = self.zeros(bytes.len() as u64)?;
        self.gpu.write(&buffer, 0, bytes);
        Ok(buffer)
    }

    /// A kernel without parameters, with its buffers, ready to run.
    pub(crate) fn kernel(&self, source: &KernelSource, buffers: &[&wgpu::Buffer]) -> Result<Dispatch, Error> {
        let pipeline = block_on(self.gpu.pipeline(source))?;
        Ok(self.gpu.dispatch(pipeline, &source.bindings, &self.arena, None, buffers))
    }

    /// Best seconds of one round of what `submit` has the device do so many rounds of; from the submit on, encoding does
    /// not count.
    pub(crate) fn seconds(&self, submit: impl Fn(u32)) -> Result<f64, Error> {
        let time = |rounds| {
            block_on(self.gpu.flush())?;
            submit(rounds);
            let started = Instant::now();
            block_on(self.gpu.flush())?;
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

    /// Best seconds of a dispatch, of many in one pass.
    pub(crate) fn seconds_of(&self, dispatch: &Dispatch, workgroups: u32) -> Result<f64, Error> {
        self.seconds(|rounds| {
            let mut step = self.gpu.step();
            (0..rounds).for_each(|_| step.run(dispatch, Grid([workgroups, 1, 1])));
            step.submit();
        })
    }

    /// Median seconds of what `work` does, the waiting included.
    pub(crate) fn median_seconds(&self, mut work: impl FnMut() -> Result<(), Error>) -> Result<f64, Error> {
        let mut all = Vec::new();
        for _ in 0..20 * self.tries {
            let started = Instant::now();
            work()?;
            all.push(started.elapsed().as_secs_f64());
        }
        all.sort_by(f64::total_cmp);
        Ok(all[all.len() / 2])
    }
}
