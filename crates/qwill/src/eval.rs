//! Exact evaluation: log-likelihoods, logits and greedy continuations of given tokens.

use serde::{Deserialize, Serialize};

use qwill_models::Outputs;
use qwill_models::step::Want;

use crate::engine::{MAX_OUTPUTS, scores_of};
use crate::generate::{Generation, generate};
use crate::{AdapterUse, Control, Error, Model, SamplingOptions, Scores};

/// Which logits to return.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WantedLogits {
    /// None.
    #[default]
    None,
    /// Those of the last position.
    Last,
    /// Those of every position.
    All,
}

/// What else an evaluation gives.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pooled {
    /// Nothing.
    #[default]
    None,
    /// The embedding of the text.
    Embedding,
    /// The scores of a reward or classification model.
    Score,
}

/// One prompt to evaluate.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EvalCase {
    /// Name of the case in the results.
    pub name: String,
    /// The tokens.
    pub ids: Vec<u32>,
    /// Tokens to continue with greedily, ends of text ignored.
    pub greedy: usize,
    /// Most likely next tokens to list.
    pub top_logprobs: usize,
    /// Logits to return.
    pub logits: WantedLogits,
    /// Tokens of a prefill step; absent: the model's.
    pub chunk: Option<usize>,
    /// Embedding or score instead of what is above.
    pub pooled: Pooled,
    /// The adapters to evaluate with; absent: those that [`Model::select_adapters`] named.
    pub adapters: Option<Vec<AdapterUse>>,
}

/// A token and its log probability.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Logprob {
    /// The token.
    pub id: u32,
    /// Natural logarithm of its probability.
    pub logprob: f64,
}

/// What a case gave.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EvalReply {
    /// Name of the case.
    pub name: String,
    /// Tokens of the prompt.
    pub n: usize,
    /// Negative log-likelihood of each token after the first, given those before it.
    pub nll: Vec<f64>,
    /// `exp(mean(nll))`; absent for a single token.
    pub perplexity: Option<f64>,
    /// Most likely tokens after the last position.
    pub top_logprobs: Vec<Vec<Logprob>>,
    /// The greedy continuation.
    pub greedy: Vec<u32>,
    /// `[positions, vocab_size]`, of the positions asked for.
    #[serde(skip)]
    pub logits: Vec<f32>,
    /// `[hidden_size]`, of length 1.
    #[serde(skip)]
    pub embedding: Vec<f32>,
    /// The text's scores.
    #[serde(skip)]
    pub scores: Option<Scores>,
}

/// `log(sum(exp(row)))`
fn log_sum_exp(row: &[f32]) -> f64 {
    let top = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    f64::from(top) + row.iter().map(|&x| f64::from(x - top).exp()).sum::<f64>().ln()
}

impl Model {
    /// Evaluates one case on an empty cache.
    pub async fn eval(&mut self, case: &EvalCase) -> Result<EvalReply, Error> {
        let adapters = &self.engine.resolve_adapters(case.adapters.as_deref())?;
        let n_vocab = self.engine.plan.dims.vocab_size;
        let ids = &case.ids;
        self.check_ids(ids).map_err(|error| match error {
            Error::Request(reason) => Error::Request(format!("case \"{}\": {reason}", case.name)),
            other => other,
        })?;
        let chunk = case.chunk.unwrap_or(self.engine.options.chunk);
        if chunk == 0 || chunk > self.engine.options.chunk {
            return Err(Error::Request(format!(
                "a chunk of {chunk} tokens was asked for; this model was loaded for 1 to {}",
                self.engine.options.chunk
            )));
        }
        let mut reply = EvalReply {
            name: case.name.clone(),
            n: ids.len(),
            nll: Vec::new(),
            perplexity: None,
            top_logprobs: Vec::new(),
            greedy: Vec::new(),
            logits: Vec::new(),
            embedding: Vec::new(),
            scores: None,
        };
        match case.pooled {
            Pooled::None => {}
            Pooled::Embedding => {
                reply.embedding = self.embedding(ids, None, adapters).await?;
                return Ok(reply);
            }
            Pooled::Score => {
                reply.scores = Some(self.scores(ids, adapters).await?);
                return Ok(reply);
            }
        }
        if self.engine.plan.head.outputs != Outputs::Logits {
            return Err(Error::NoLogits);
        }
        self.reset();
        self.engine.start(&mut self.sequence, ids, adapters);
        let chunk = chunk.min(MAX_OUTPUTS);
        let all = self.engine.read(&mut self.sequence, ids, chunk, |_| Some(Want::Scores)).await?;
        let all: Vec<Vec<f32>> = all.into_iter().filter_map(scores_of).collect();
        for (row, &next) in all.iter().zip(&ids[1..]) {
            reply.nll.push(log_sum_exp(row) - f64::from(row[next as usize]));
        }
        let last = all.last().cloned().unwrap_or_default();
        if case.logits == WantedLogits::All {
            reply.logits = all.concat();
        }
        if !reply.nll.is_empty() {
            reply.perplexity = Some((reply.nll.iter().sum::<f64>() / reply.nll.len() as f64).exp());
        }
        if case.top_logprobs > 0 {
            let whole = log_sum_exp(&last);
            let mut order: Vec<usize> = (0..n_vocab).collect();
            order.sort_by(|&a, &b| last[b].total_cmp(&last[a]).then(a.cmp(&b)));
            let best = order.iter().take(case.top_logprobs);
            reply.top_logprobs.push(
                best.map(|&id| Logprob { id: id as u32, logprob: f64::from(last[id]) - whole }).collect(),
            );
        }
        if case.logits == WantedLogits::Last {
            reply.logits = last;
        }
        if case.greedy > 0 {
            let sampler = SamplingOptions::greedy().resolve(&self.generation, n_vocab)?;
            let generation = Generation { prompt: ids, adapters, sampler, seed: 0, max_tokens: case.greedy };
            let mut every = |_| Control::Continue;
            reply.greedy = generate(&mut self.engine, &mut self.sequence, generation, &mut every).await?.ids;
        }
        Ok(reply)
    }
}
