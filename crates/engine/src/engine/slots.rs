//! Places of running texts on the device: how their tokens are drawn and reported.

use qwill_kernels::{
    DrawClass, Draws, LogitBias, ReportBuffers, SampleBuffers, SamplerSettings, report_logprobs,
    sample_token, select_candidates,
};
use qwill_models::step::{Begin, MAX_BIASES};

use super::Engine;
use super::pending::reports;
use crate::Error;

/// A text's settings as kernels read them.
fn settings(begin: &Begin) -> SamplerSettings {
    let sampler = &begin.sampler;
    SamplerSettings {
        temperature: sampler.temperature,
        top_k: sampler.top_k,
        top_p: sampler.top_p,
        min_p: sampler.min_p,
        repetition_penalty: sampler.repetition_penalty,
        presence_penalty: sampler.presence_penalty,
        frequency_penalty: sampler.frequency_penalty,
        n_vocab: sampler.n_vocab,
        n_biases: begin.bias.len() as u32,
    }
}

impl Engine {
    /// Gives a slot to a text.
    pub(super) async fn begin(&mut self, begin: &Begin) -> Result<(), Error> {
        let settings = settings(begin);
        let class = DrawClass::of(&settings);
        self.classes[begin.slot as usize] = class;
        self.prepare_draws(class).await?;
        let offset = u64::from(begin.slot) * size_of::<SamplerSettings>() as u64;
        self.gpu.write(&self.steering.samplers, offset, bytemuck::bytes_of(&settings));
        if !begin.bias.is_empty() {
            let biases: Vec<LogitBias> =
                begin.bias.iter().map(|&(id, bias)| LogitBias { id, bias }).collect();
            let offset = begin.slot as usize * MAX_BIASES * size_of::<LogitBias>();
            self.gpu.write(&self.steering.biases, offset as u64, bytemuck::cast_slice(&biases));
        }
        // without penalties nobody looks
        if begin.sampler.has_penalties() {
            self.write_counts(begin);
        }
        Ok(())
    }

    /// Tells the penalties which tokens prompt and reply hold.
    fn write_counts(&self, begin: &Begin) {
        let mut counts = vec![0u32; self.program.plan.dims.vocab_size];
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
        let draws = Draws::new(class, self.program.plan.dims.vocab_size, MAX_BIASES);
        let buffers = SampleBuffers {
            step: &self.steering.step,
            samplers: &self.steering.samplers,
            logits: self.program.outputs(),
            counts: &self.steering.counts,
            biases: &self.steering.biases,
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

    /// Binds the kernel that reports log probabilities, once.
    pub(super) async fn prepare_report(&mut self) -> Result<(), Error> {
        if self.report.is_none() {
            let buffers = ReportBuffers {
                step: &self.steering.step,
                logits: self.program.outputs(),
                drawn: &self.steering.drawn,
            };
            let reports = reports(self.program.plan.dims.vocab_size);
            self.report = Some(report_logprobs(&mut self.kernels, &buffers, reports).await?);
        }
        Ok(())
    }
}
