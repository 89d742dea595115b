//! Places of running texts on the device: how their tokens are drawn and reported.

use qwill_kernels::{
    DrawClass, LogitBias, ReportBuffers, SampleBuffers, SamplerSettings, report_logprobs, sample_token,
    select_candidates,
};
use qwill_models::step::{Among, Begin, MAX_BIASES, Slot, Step, Want};

use super::Engine;
use super::pending::reports;
use super::sizes::draws;
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
        self.allow_all(begin.slot);
        // without penalties nobody looks
        if begin.sampler.has_penalties() {
            self.write_counts(begin);
        }
        Ok(())
    }

    /// Words of a list of tokens.
    pub fn list_words(&self) -> usize {
        self.slot_words() - 1
    }

    fn slot_words(&self) -> usize {
        draws(&self.program.plan, DrawClass::Greedy).allowed_stride()
    }

    fn write_allowed(&self, slot: Slot, words: &[u32]) {
        let offset = slot as usize * self.slot_words() * 4;
        self.gpu.write(&self.steering.allowed, offset as u64, bytemuck::cast_slice(words));
    }

    /// From here on any token may be drawn for a slot.
    pub(super) fn allow_all(&mut self, slot: Slot) {
        if std::mem::replace(&mut self.among[slot as usize], Among::All) == Among::Listed {
            self.write_allowed(slot, &[0]);
        }
    }

    /// Tells the device among which tokens those of a step are drawn that are drawn among some.
    pub(super) fn write_lists(&mut self, step: &Step, lists: &[Vec<u32>]) {
        let mut lists = lists.iter();
        for (span, output) in step.outputs() {
            if !matches!(output.want, Want::Token { among: Among::Listed, .. }) {
                continue;
            }
            // without a list nothing may be drawn
            let list = lists.next().map_or(&[][..], |list| list);
            let mut words = vec![0; self.slot_words()];
            words[0] = 1;
            words[1..].iter_mut().zip(list).for_each(|(word, listed)| *word = *listed);
            self.among[span.slot as usize] = Among::Listed;
            self.write_allowed(span.slot, &words);
        }
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
        let draws = draws(&self.program.plan, class);
        let buffers = SampleBuffers {
            step: &self.steering.step,
            samplers: &self.steering.samplers,
            logits: self.program.outputs(),
            counts: &self.steering.counts,
            biases: &self.steering.biases,
            allowed: &self.steering.allowed,
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
