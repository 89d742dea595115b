//! Places of running texts on the device: how their tokens are drawn.

use qwill_kernels::{DrawClass, Draws, SampleBuffers, SamplerSettings, sample_token, select_candidates};
use qwill_models::step::{Begin, Sampler};

use super::Engine;
use crate::Error;

/// A sampler's settings as kernels read them.
fn settings(sampler: &Sampler) -> SamplerSettings {
    SamplerSettings {
        temperature: sampler.temperature,
        top_k: sampler.top_k,
        top_p: sampler.top_p,
        min_p: sampler.min_p,
        repetition_penalty: sampler.repetition_penalty,
        presence_penalty: sampler.presence_penalty,
        frequency_penalty: sampler.frequency_penalty,
        n_vocab: sampler.n_vocab,
    }
}

impl Engine {
    /// Gives a slot to a text.
    pub(super) async fn begin(&mut self, begin: &Begin) -> Result<(), Error> {
        let settings = settings(&begin.sampler);
        let class = DrawClass::of(&settings);
        self.classes[begin.slot as usize] = class;
        self.prepare_draws(class).await?;
        let offset = u64::from(begin.slot) * size_of::<SamplerSettings>() as u64;
        self.gpu.write(&self.steering.samplers, offset, bytemuck::bytes_of(&settings));
        // without penalties nobody looks
        if begin.sampler.has_penalties() {
            self.write_counts(begin);
        }
        Ok(())
    }

    /// Tells the penalties which tokens prompt and reply hold.
    fn write_counts(&self, begin: &Begin) {
        let mut counts = vec![0u32; self.plan.dims.vocab_size];
        for &token in &begin.prompt {
            counts[token as usize] = 1 << 31;
        }
        for &token in &begin.drawn {
            counts[token as usize] += 1;
        }
        let offset = begin.slot as usize * size_of_val(&counts[..]);
        self.gpu.write(&self.steering.counts, offset as u64, bytemuck::cast_slice(&counts));
    }

    /// Binds the kernels of a class of sampling, once.
    async fn prepare_draws(&mut self, class: DrawClass) -> Result<(), Error> {
        if self.samplers.contains_key(&class) {
            return Ok(());
        }
        let draws = Draws::new(class, self.plan.dims.vocab_size);
        let buffers = SampleBuffers {
            step: &self.steering.step,
            samplers: &self.steering.samplers,
            logits: &self.activations.outputs,
            counts: &self.steering.counts,
            candidates: &self.steering.candidates,
            next: &self.steering.next,
            drawn: &self.steering.drawn,
        };
        let launches = vec![
            select_candidates(&mut self.kernels, &buffers, draws).await?,
            sample_token(&mut self.kernels, &buffers, draws).await?,
        ];
        self.samplers.insert(class, launches);
        Ok(())
    }
}
