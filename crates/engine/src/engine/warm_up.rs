//! What an engine does before anybody waits for it.

use qwill_models::Outputs;
use qwill_models::step::{Among, Begin, Output, Sampler, Source, Step, Want};

use super::Engine;
use crate::Error;

impl Engine {
    /// Runs a step of each kind, so that no pipeline is compiled by the driver while somebody waits for a token.
    pub async fn warm_up(&mut self) -> Result<(), Error> {
        let want = match self.plan().head.outputs {
            Outputs::Logits => Want::Token { among: Among::All, seed: 0, index: 0, logprobs: None },
            Outputs::Scores { .. } | Outputs::States => Want::Scores,
        };
        let sampler = Sampler::greedy(self.plan().dims.vocab_size as u32);
        let begin = Begin { slot: 0, sampler, bias: Vec::new(), prompt: Vec::new(), drawn: Vec::new() };
        let n_tokens = 2.min(self.options.context_length).min(self.options.chunk);
        let mut step = Step::of_one(0, vec![Source::Id(0); n_tokens], vec![Output { row: 0, want }]);
        step.begins.push(begin);
        self.submit(&step, Vec::new).await?.answers().await?;
        Ok(())
    }
}
