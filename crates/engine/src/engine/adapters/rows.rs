//! How much of an adapter each row of a step gets.

use qwill_gpu::{Buffer, Gpu, Usage};
use qwill_kernels::StepOutput;
use qwill_models::step::Span;

use super::{Adapter, Adapters};
use crate::Error;

/// A factor for each row, on the device.
pub(super) struct RowFactors {
    pub(super) buffer: Buffer,
    /// What the buffer holds.
    held: Vec<f32>,
}

impl RowFactors {
    /// Zeros for as many rows as a step can have.
    pub(super) async fn new(gpu: &Gpu, n_rows: usize) -> Result<Self, Error> {
        let buffer = gpu.buffer("an adapter's factors of rows", n_rows as u64 * 4, Usage::Storage).await?;
        Ok(Self { buffer, held: vec![0.0; n_rows] })
    }

    /// Makes these the factors of the first rows; writes nothing where they are already.
    fn set(&mut self, gpu: &Gpu, factors: &[f32]) {
        let held = &mut self.held[..factors.len()];
        if held != factors {
            held.copy_from_slice(factors);
            gpu.write(&self.buffer, 0, bytemuck::cast_slice(factors));
        }
    }
}

impl Adapter {
    /// Its scale in a text; 0 where the text does not use it.
    fn scale_in(&self, span: &Span) -> f32 {
        span.adapters.iter().filter(|(id, _)| *id == self.id).map(|(_, scale)| scale).sum()
    }
}

impl Adapters {
    /// Writes the factors of a step's rows, for the adapters that any of its spans uses; returns the numbers of those.
    /// `spans` and `outputs` are in the order of the rows.
    pub(in crate::engine) fn write_rows(
        &mut self,
        gpu: &Gpu,
        spans: &[&Span],
        outputs: &[StepOutput],
    ) -> Vec<u64> {
        let mut used = Vec::new();
        for adapter in &mut self.loaded {
            let scales = spans.iter().map(|span| (adapter.scale_in(span), span.tokens.len()));
            let of_tokens: Vec<f32> =
                scales.flat_map(|(scale, n_tokens)| std::iter::repeat_n(scale, n_tokens)).collect();
            if of_tokens.iter().all(|&scale| scale == 0.0) {
                continue;
            }
            let of_outputs: Vec<f32> =
                outputs.iter().map(|output| of_tokens[output.token as usize]).collect();
            adapter.layers.rows.set(gpu, &of_tokens);
            adapter.head.rows.set(gpu, &of_outputs);
            used.push(adapter.id);
        }
        used
    }

    /// Refuses a text with an adapter that is not there.
    pub(in crate::engine) fn check_span(&self, span: &Span) -> Result<(), Error> {
        let is_loaded = |&(id, _): &(u64, f32)| self.loaded.iter().any(|adapter| adapter.id == id);
        if span.adapters.iter().all(is_loaded) {
            return Ok(());
        }
        Err(Error::Request(format!(
            "an adapter was unloaded while a text used it; begin the text again with those that are loaded: {}",
            self.names()
        )))
    }
}

#[cfg(test)]
mod tests {
    use pollster::block_on;
    use qwill_testkit::Rig;

    use super::*;

    #[test]
    fn factors_are_written_when_they_change() {
        let rig = Rig::open("");
        let mut rows = block_on(RowFactors::new(rig.gpu(), 4)).unwrap();
        let held = |rows: &RowFactors| rig.read::<f32>(&rows.buffer);
        rows.set(rig.gpu(), &[1.0, 0.5, 2.0]);
        assert_eq!(held(&rows), [1.0, 0.5, 2.0, 0.0]);
        // what somebody else wrote stays where nothing is to be changed
        rig.write(&rows.buffer, 0, &[7.0f32]);
        rows.set(rig.gpu(), &[1.0, 0.5]);
        assert_eq!(held(&rows), [7.0, 0.5, 2.0, 0.0]);
        rows.set(rig.gpu(), &[1.0, 0.0]);
        assert_eq!(held(&rows), [1.0, 0.0, 2.0, 0.0]);
    }
}
