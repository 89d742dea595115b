//! Exact evaluation: log-likelihoods, logits and greedy continuations of given tokens.

use serde::{Deserialize, Serialize};

use qwill_models::Outputs;
use qwill_scheduler::{Rows, Wanted};

use crate::requests::{Generation, Reading, next_row, tokens_of};
use crate::{AdapterUse, Error, Model, Scores};

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
    /// Evaluates one case.
    ///
    /// ```no_run
    /// # async fn example(model: &qwill::Model) -> Result<(), qwill::Error> {
    /// let case = qwill::EvalCase { ids: vec![1, 2, 3], greedy: 8, ..qwill::EvalCase::default() };
    /// let result = model.eval(&case).await?;
    /// println!("{:?}, then {:?}", result.perplexity, result.greedy);
    /// # Ok(()) }
    /// ```
    pub async fn eval(&self, case: &EvalCase) -> Result<EvalReply, Error> {
        self.evaluate(case).await.map_err(|error| match error {
            Error::Request(reason) => Error::Request(format!("case \"{}\": {reason}", case.name)),
            other => other,
        })
    }

    async fn evaluate(&self, case: &EvalCase) -> Result<EvalReply, Error> {
        let adapters = self.resolve_adapters(case.adapters.as_deref())?;
        let (n_vocab, ids) = (self.facts().plan.dims.vocab_size, &case.ids);
        self.check_ids(ids)?;
        let most = self.facts().engine.chunk;
        if let Some(chunk) = case.chunk.filter(|&chunk| chunk == 0 || chunk > most) {
            return Err(Error::Request(format!(
                "a chunk of {chunk} tokens was asked for; this model was loaded for 1 to {most}"
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
        if self.facts().plan.head.outputs != Outputs::Logits {
            return Err(Error::NoLogits);
        }
        let (rows, want) = (Rows::Every, Wanted::Scores);
        let reading = Reading { ids: ids.clone(), adapters: adapters.clone(), chunk: case.chunk, rows, want };
        let mut signals = self.start_reading(reading)?;
        // Rows are long: only those that are asked for outlive the next.
        let (mut n_rows, mut last) = (0, Vec::new());
        while let Some(row) = next_row(&mut signals).await? {
            n_rows += 1;
            if let Some(&next) = ids.get(n_rows) {
                reply.nll.push(log_sum_exp(&row) - f64::from(row[next as usize]));
            }
            if case.logits == WantedLogits::All {
                reply.logits.extend_from_slice(&row);
            }
            last = row;
        }
        if !reply.nll.is_empty() {
            reply.perplexity = Some((reply.nll.iter().sum::<f64>() / reply.nll.len() as f64).exp());
        }
        if case.top_logprobs > 0 {
            reply.top_logprobs.push(most_likely(&last, case.top_logprobs));
        }
        if case.logits == WantedLogits::Last {
            reply.logits = last;
        }
        if case.greedy > 0 {
            reply.greedy =
                tokens_of(self.generate(Generation::greedy(ids.clone(), adapters, n_vocab, case.greedy))?)
                    .await?;
        }
        Ok(reply)
    }
}

/// The most likely tokens after a row of logits.
fn most_likely(row: &[f32], n: usize) -> Vec<Logprob> {
    let whole = log_sum_exp(row);
    let mut order: Vec<usize> = (0..row.len()).collect();
    order.sort_by(|&a, &b| row[b].total_cmp(&row[a]).then(a.cmp(&b)));
    let best = order.into_iter().take(n);
    best.map(|id| Logprob { id: id as u32, logprob: f64::from(row[id]) - whole }).collect()
}
