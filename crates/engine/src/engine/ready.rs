//! Steps whose state is on the device: what they run, recorded as often as wanted.

use qwill_gpu::{Gpu, Step};
use qwill_kernels::{Launch, StepShape};

/// A step that is ready to run.
pub struct Ready<'e> {
    gpu: &'e Gpu,
    /// What it runs, in order.
    pub launches: Vec<&'e Launch>,
    /// What decides how much each has to do.
    pub shape: StepShape,
}

impl<'e> Ready<'e> {
    /// Those of `launches` that a step of this shape has work for.
    pub(super) fn new(
        gpu: &'e Gpu,
        launches: impl IntoIterator<Item = &'e Launch>,
        shape: StepShape,
    ) -> Self {
        let launches = launches.into_iter().filter(|launch| !launch.grid(&shape).is_empty()).collect();
        Self { gpu, launches, shape }
    }

    /// Records all of it.
    pub fn record(&self) -> Step<'e> {
        let mut step = self.gpu.step();
        self.record_into(&mut step);
        step
    }

    /// Records all of it behind what was recorded before.
    pub(super) fn record_into(&self, step: &mut Step<'e>) {
        for launch in &self.launches {
            step.run(&launch.dispatch, launch.grid(&self.shape));
        }
    }

    /// Indices of its launches, those together that do the same, in the order in which each comes first.
    pub fn alike(&self) -> Vec<Vec<usize>> {
        let mut groups: Vec<Vec<usize>> = Vec::new();
        for (index, launch) in self.launches.iter().enumerate() {
            let is_like = |&other: &usize| {
                let other = self.launches[other];
                (other.kernel, &other.detail) == (launch.kernel, &launch.detail)
            };
            match groups.iter_mut().find(|group| is_like(&group[0])) {
                Some(group) => group.push(index),
                None => groups.push(vec![index]),
            }
        }
        groups
    }
}
