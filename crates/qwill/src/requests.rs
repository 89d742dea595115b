//! From token ids to requests that the driver runs.

use qwill_models::Outputs;
use qwill_models::step::Sampler;
use qwill_scheduler::{Constraint, Request, Rows, Speculation, Task, Wanted, What};

use crate::driver::Signals;
use crate::{Error, Model};

/// A text to be continued.
#[derive(Debug, Clone)]
pub(crate) struct Generation {
    pub(crate) prompt: Vec<u32>,
    pub(crate) adapters: Vec<(u64, f32)>,
    pub(crate) sampler: Sampler,
    /// Added to logits, by rising id.
    pub(crate) bias: Vec<(u32, f32)>,
    /// How many of the most likely tokens are told with each, if log probabilities are.
    pub(crate) logprobs: Option<u8>,
    /// What limits the tokens.
    pub(crate) constraint: Option<Box<dyn Constraint>>,
    pub(crate) speculation: Speculation,
    pub(crate) seed: u64,
    /// At least 1.
    pub(crate) max_tokens: usize,
    /// Tokens that end it.
    pub(crate) ends: Vec<u32>,
}

impl Generation {
    /// The most likely of `n_vocab` tokens, so many of them whatever they are.
    pub(crate) fn greedy(
        prompt: Vec<u32>,
        adapters: Vec<(u64, f32)>,
        n_vocab: usize,
        max_tokens: usize,
    ) -> Self {
        Self {
            prompt,
            adapters,
            sampler: Sampler::greedy(n_vocab as u32),
            bias: Vec::new(),
            logprobs: None,
            constraint: None,
            speculation: Speculation::Off,
            seed: 0,
            max_tokens,
            ends: Vec::new(),
        }
    }
}

/// A text to be read.
#[derive(Debug, Clone)]
pub(crate) struct Reading {
    pub(crate) ids: Vec<u32>,
    pub(crate) adapters: Vec<(u64, f32)>,
    /// Tokens of a step at most.
    pub(crate) chunk: Option<usize>,
    pub(crate) rows: Rows,
    pub(crate) want: Wanted,
}

impl Model {
    /// Refuses a model that has no tokens to give.
    pub(crate) fn check_generates(&self) -> Result<(), Error> {
        if self.facts().plan.head.outputs == Outputs::Logits {
            return Ok(());
        }
        Err(Error::Request(
            "this model has no output matrix for tokens: it embeds or scores texts and cannot generate"
                .into(),
        ))
    }

    /// Refuses token ids that the model cannot read.
    pub(crate) fn check_ids(&self, ids: &[u32]) -> Result<(), Error> {
        let dims = &self.facts().plan.dims;
        let n_vocab = dims.vocab_size;
        if ids.is_empty() {
            return Err(Error::Request("there are no token ids".into()));
        }
        if let Some(id) = ids.iter().find(|&&id| id as usize >= n_vocab) {
            return Err(Error::Request(format!(
                "token id {id} is outside the model's vocabulary of {n_vocab}"
            )));
        }
        let context_length = self.facts().engine.context_length;
        if ids.len() > context_length {
            return Err(Error::PromptTooLong { prompt_tokens: ids.len(), context_length, hint: self.hint() });
        }
        Ok(())
    }

    /// How to get a longer context, if that is possible.
    fn hint(&self) -> String {
        let (longest, own) = (self.facts().plan.dims.context_length, self.facts().engine.context_length);
        if longest > own { format!("; the model allows a context of up to {longest}") } else { String::new() }
    }

    /// Starts to continue a text.
    pub(crate) fn generate(&self, generation: Generation) -> Result<Signals, Error> {
        let Generation {
            prompt,
            adapters,
            sampler,
            bias,
            logprobs,
            constraint,
            speculation,
            seed,
            max_tokens,
            ends,
        } = generation;
        self.check_generates()?;
        if prompt.is_empty() {
            return Err(Error::Request("the prompt is empty".into()));
        }
        self.check_ids(&prompt)?;
        let context_length = self.facts().engine.context_length;
        if prompt.len() == context_length {
            return Err(Error::PromptTooLong {
                prompt_tokens: prompt.len(),
                context_length,
                hint: self.hint(),
            });
        }
        let seed = (seed ^ (seed >> 32)) as u32;
        let task = Task::Generate { sampler, bias, logprobs, constraint, speculation, seed, max_tokens };
        let n_prompt = prompt.len();
        self.handle().run(Request { tokens: prompt, n_prompt, adapters, chunk: None, task }, ends)
    }

    /// Starts to read a text.
    pub(crate) fn start_reading(&self, reading: Reading) -> Result<Signals, Error> {
        let Reading { ids, adapters, chunk, rows, want } = reading;
        self.check_ids(&ids)?;
        let (n_prompt, task) = (ids.len(), Task::Read { rows, want });
        self.handle().run(Request { tokens: ids, n_prompt, adapters, chunk, task }, Vec::new())
    }

    /// Reads a text; what is wanted of each of its rows.
    pub(crate) async fn read(&self, reading: Reading) -> Result<Vec<Vec<f32>>, Error> {
        rows_of(self.start_reading(reading)?).await
    }
}

/// The next row of a text that is read; none behind the last.
pub(crate) async fn next_row(signals: &mut Signals) -> Result<Option<Vec<f32>>, Error> {
    while let Some(what) = signals.next().await.transpose()? {
        match what {
            What::Scores { values, .. } | What::State { values, .. } => return Ok(Some(values)),
            What::Started { .. }
            | What::Progress { .. }
            | What::Token(_)
            | What::Guessed { .. }
            | What::Logprobs { .. }
            | What::Broken { .. } => {}
            What::Finished(_) => return Ok(None),
        }
    }
    Err(Error::ended())
}

/// What comes of a text that is read.
pub(crate) async fn rows_of(mut signals: Signals) -> Result<Vec<Vec<f32>>, Error> {
    let mut rows = Vec::new();
    while let Some(row) = next_row(&mut signals).await? {
        rows.push(row);
    }
    Ok(rows)
}

/// The tokens that a text is continued with.
pub(crate) async fn tokens_of(mut signals: Signals) -> Result<Vec<u32>, Error> {
    let mut tokens = Vec::new();
    while let Some(what) = signals.next().await.transpose()? {
        if let What::Token(sampled) = what {
            tokens.push(sampled.id);
        }
    }
    Ok(tokens)
}
