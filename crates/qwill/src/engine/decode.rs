//! Sampling, and steps of one token.

use qwill_gpu::{Buffer, Readback};
use qwill_kernels::{
    SampleBuffers, SamplerSettings, StepShape, StepState, candidate_count, keep_for, sample_token,
    select_candidates,
};

use super::stage::Size;
use super::{Engine, RING, Ready};
use crate::Error;
use crate::cache::Sequence;

impl Engine {
    /// Uploads the settings of a generation; returns the key for [`Self::sample_step`].
    pub(crate) async fn prepare_sampling(&mut self, settings: &SamplerSettings) -> Result<usize, Error> {
        self.gpu.write(&self.steering.sampler, 0, bytemuck::bytes_of(settings));
        let keep = keep_for(settings);
        if !self.samplers.contains_key(&keep) {
            let n_vocab = self.plan.dims.vocab_size;
            let buffers = SampleBuffers {
                state: &self.steering.state,
                sampler: &self.steering.sampler,
                logits: &self.activations.outputs,
                counts: &self.steering.counts,
                candidates: &self.steering.candidates,
                tokens: &self.steering.tokens,
                ring: &self.steering.ring,
            };
            let launches = vec![
                select_candidates(&mut self.kernels, &buffers, n_vocab, keep).await?,
                sample_token(&mut self.kernels, &buffers, candidate_count(n_vocab, keep)).await?,
            ];
            self.samplers.insert(keep, launches);
        }
        Ok(keep)
    }

    /// Tells the penalties which tokens the prompt holds and that the output is empty.
    pub(crate) fn reset_counts(&self, prompt: &[u32]) {
        let mut counts = vec![0u32; self.plan.dims.vocab_size];
        for &token in prompt {
            counts[token as usize] = 1 << 31;
        }
        self.gpu.write(&self.steering.counts, 0, bytemuck::cast_slice(&counts));
    }

    /// Samples from the logits of the last step; the token becomes the input of [`Self::decode_step`].
    pub(crate) fn sample_step(
        &mut self,
        sequence: &Sequence,
        sampler: usize,
        seed: u32,
        index: usize,
    ) -> Readback {
        let state = sampling_state(sequence.len(), seed, index);
        self.write_state(&state);
        let staging = self.staging();
        let shape = StepShape { n_tokens: 1, n_kv: state.position, n_outputs: 1 };
        let step = Ready::new(&self.gpu, &self.samplers[&sampler], shape).record();
        step.submit_and_read(&self.steering.ring, ring_offset(&state), &staging, 4)
    }

    /// Makes the device ready for a decode step: for the token at `position`, which only the GPU may know yet.
    pub(crate) fn enter_decode(
        &mut self,
        sequence: &mut Sequence,
        position: usize,
        seed: u32,
        index: usize,
    ) -> Result<StepState, Error> {
        self.reserve(sequence, position + 1)?;
        let rope_first = self.turn_to(sequence, position..position + 1);
        let state = StepState { rope_first, ..sampling_state(position, seed, index) };
        self.write_state(&state);
        Ok(state)
    }

    /// The step that [`Self::enter_decode`] prepared.
    pub(crate) fn decode(&self, state: &StepState, sampler: usize) -> Ready<'_> {
        let shape = StepShape { n_tokens: 1, n_kv: state.position + 1, n_outputs: 1 };
        let mut launches = self.layers.in_order(Size::One, &self.adapters.layers());
        launches.extend(&self.norm.one);
        launches.extend(self.head.in_order(Size::One, &self.adapters.head()));
        launches.extend(&self.samplers[&sampler]);
        Ready::new(&self.gpu, launches, shape)
    }

    /// Runs the model on the token sampled last, which only the GPU may know yet, and samples the next one: one pass,
    /// one submit. `position` is where that token goes.
    pub(crate) fn decode_step(
        &mut self,
        sequence: &mut Sequence,
        position: usize,
        sampler: usize,
        seed: u32,
        index: usize,
    ) -> Result<Readback, Error> {
        let state = self.enter_decode(sequence, position, seed, index)?;
        let staging = self.staging();
        let step = self.decode(&state, sampler).record();
        Ok(step.submit_and_read(&self.steering.ring, ring_offset(&state), &staging, 4))
    }

    fn staging(&mut self) -> Buffer {
        self.next_staging = (self.next_staging + 1) % self.steering.staging.len();
        self.steering.staging[self.next_staging].clone()
    }
}

/// The state of a step that samples token `index` of a generation.
fn sampling_state(position: usize, seed: u32, index: usize) -> StepState {
    StepState {
        position: position as u32,
        n_tokens: 1,
        sample_index: index as u32,
        seed,
        ring_slot: (index % RING) as u32,
        ..StepState::default()
    }
}

/// Where the token that a step samples lies in the ring, bytes.
fn ring_offset(state: &StepState) -> u64 {
    u64::from(state.ring_slot) * 4
}
