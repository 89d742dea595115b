//! A device with a stopwatch, and kernels that have no parameters.

use std::time::Instant;

use pollster::block_on;
use qwill_gpu::{
    Binding, Buffer, Dispatch, Error, Gpu, GpuOptions, Grid, KernelSource, ParamArena, Usage, wgpu,
};

use super::stopwatch::Stopwatch;
use crate::job::Size;

/// A device to measure.
pub(crate) struct Meter {
    /// The device.
    pub(crate) gpu: Gpu,
    arena: ParamArena,
    watch: Stopwatch,
}

impl Meter {
    /// Opens the device, with experimental or other features where it has them.
    pub(crate) fn open(extra_features: wgpu::Features, size: Size) -> Result<Self, Error> {
        let gpu = block_on(Gpu::open(&GpuOptions { extra_features, ..GpuOptions::default() }))?;
        let arena = block_on(ParamArena::new(&gpu))?;
        Ok(Self { gpu, arena, watch: Stopwatch::of(size) })
    }

    /// A buffer of zeros.
    pub(crate) fn zeros(&self, bytes: u64) -> Result<Buffer, Error> {
        block_on(self.gpu.buffer("measured", bytes, Usage::Storage))
    }

    /// A buffer that begins with these bytes.
    pub(crate) fn buffer(&self, bytes: &[u8]) -> Result<Buffer, Error> {
        let buffer = self.zeros(bytes.len() as u64)?;
        self.gpu.write(&buffer, 0, bytes);
        Ok(buffer)
    }

    /// A kernel with its buffers, ready to run.
    pub(crate) fn kernel(&self, source: &KernelSource, buffers: &[&Buffer]) -> Result<Dispatch, Error> {
        let pipeline = block_on(self.gpu.pipeline(source))?;
        debug_assert!(
            !source.bindings.iter().any(|binding| matches!(binding, Binding::Params(_))),
            "measuring kernels have no parameters"
        );
        Ok(self.gpu.dispatch(pipeline, &source.bindings, &self.arena, None, buffers))
    }

    /// Best seconds of one round of what `submit` has the device do so many rounds of, see [`Stopwatch::seconds`].
    pub(crate) fn seconds(&self, submit: impl Fn(u32)) -> Result<f64, Error> {
        self.watch.seconds(&self.gpu, submit)
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
        for _ in 0..20 * self.watch.tries {
            let started = Instant::now();
            work()?;
            all.push(started.elapsed().as_secs_f64());
        }
        all.sort_by(f64::total_cmp);
        Ok(all[all.len() / 2])
    }
}
