//! What requests may ask for of tokens and choices.

use qwill_models::step::{MAX_BIASES, MAX_TOP_LOGPROBS};

use super::ChatRequest;
use crate::Error;

/// Most replies to one request.
const MAX_CHOICES: usize = 128;
/// What a bias may be, either way.
const LARGEST_BIAS: f32 = 100.0;

/// Refuses more of the most likely tokens than can be told, by the name of the field that asks for them.
pub(super) fn check_top(name: &str, n: Option<usize>) -> Result<(), Error> {
    match n {
        Some(n) if n > MAX_TOP_LOGPROBS => {
            Err(Error::Request(format!("{name} is {n}, but must be at most {MAX_TOP_LOGPROBS}")))
        }
        _ => Ok(()),
    }
}

impl ChatRequest {
    /// How many of the most likely tokens are told with each, if log probabilities are.
    pub(super) fn n_top(&self) -> Result<Option<u8>, Error> {
        check_top("top_logprobs", self.top_logprobs)?;
        match (self.logprobs, self.top_logprobs) {
            (Some(true), n) => Ok(Some(n.unwrap_or(0) as u8)),
            (_, Some(1..)) => Err(Error::Request("top_logprobs needs logprobs: true".into())),
            _ => Ok(None),
        }
    }

    /// Tokens with what is added to their logits, by rising id, for a vocabulary of `n_tokens`.
    pub(super) fn biases(&self, n_tokens: usize) -> Result<Vec<(u32, f32)>, Error> {
        let biases: Vec<(u32, f32)> =
            self.logit_bias.iter().flatten().map(|(&id, &bias)| (id, bias)).collect();
        if biases.len() > MAX_BIASES {
            return Err(Error::Request(format!(
                "logit_bias names {} tokens, but may name {MAX_BIASES} at most",
                biases.len()
            )));
        }
        for &(id, bias) in &biases {
            if id as usize >= n_tokens {
                return Err(Error::Request(format!(
                    "logit_bias names token {id}, but the vocabulary has {n_tokens}"
                )));
            }
            // also refuses NaN
            if !(-LARGEST_BIAS..=LARGEST_BIAS).contains(&bias) {
                return Err(Error::Request(format!(
                    "logit_bias of token {id} is {bias}, but must be between -{LARGEST_BIAS} and {LARGEST_BIAS}"
                )));
            }
        }
        Ok(biases)
    }

    /// The prompt, if it is to be a part of the reply.
    pub(super) fn echoed(&self) -> Result<Option<&str>, Error> {
        if self.echo != Some(true) {
            return Ok(None);
        }
        match (&self.prompt, &self.suffix) {
            (Some(prompt), None) => Ok(Some(prompt)),
            (Some(_), Some(_)) => Err(Error::Request("echo and suffix exclude each other".into())),
            (None, _) => Err(Error::Request("echo needs a prompt; messages cannot be echoed".into())),
        }
    }

    /// How many replies are wanted.
    pub(super) fn n_choices(&self) -> Result<usize, Error> {
        match self.n.unwrap_or(1) {
            n @ 1..=MAX_CHOICES => Ok(n),
            n => Err(Error::Request(format!("n is {n}, but must be between 1 and {MAX_CHOICES}"))),
        }
    }
}
