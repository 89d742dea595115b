//! Sampling settings: the caller's over the checkpoint's defaults.

use qwill_models::step::Sampler;
use qwill_text::GenerationConfig;
use serde::{Deserialize, Serialize};

use crate::Error;

/// What a caller may set; everything else follows the model's `generation_config`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SamplingOptions {
    /// Divides the logits; 0 is greedy.
    pub temperature: Option<f32>,
    /// Keeps this many; 0: all.
    pub top_k: Option<u32>,
    /// Keeps the most likely that together have this probability.
    pub top_p: Option<f32>,
    /// Keeps what is at least this likely relative to the most likely.
    pub min_p: Option<f32>,
    /// Divides logits of tokens seen in prompt or reply.
    pub repetition_penalty: Option<f32>,
    /// Subtracted from logits of tokens seen in the reply.
    pub presence_penalty: Option<f32>,
    /// Subtracted once for each time a token was seen in the reply.
    pub frequency_penalty: Option<f32>,
    /// Same seed, same text; absent: a new one each time.
    pub seed: Option<u64>,
}

impl SamplingOptions {
    /// Greedy decoding with no penalties at all.
    pub fn greedy() -> Self {
        Self {
            temperature: Some(0.0),
            repetition_penalty: Some(1.0),
            presence_penalty: Some(0.0),
            frequency_penalty: Some(0.0),
            ..Self::default()
        }
    }

    /// Fills in the defaults and checks every range.
    pub(crate) fn resolve(&self, defaults: &GenerationConfig, n_vocab: usize) -> Result<Sampler, Error> {
        let default_temperature = if defaults.do_sample { defaults.temperature } else { 0.0 };
        let settings = Sampler {
            temperature: self.temperature.unwrap_or(default_temperature),
            top_k: self.top_k.unwrap_or(defaults.top_k),
            top_p: self.top_p.unwrap_or(defaults.top_p),
            min_p: self.min_p.unwrap_or(defaults.min_p),
            repetition_penalty: self.repetition_penalty.unwrap_or(defaults.repetition_penalty),
            presence_penalty: self.presence_penalty.unwrap_or(defaults.presence_penalty),
            frequency_penalty: self.frequency_penalty.unwrap_or(defaults.frequency_penalty),
            n_vocab: n_vocab as u32,
        };
        let ranges = [
            ("temperature", settings.temperature, 0.0, 1e4, "0 (greedy) or more"),
            ("top_p", settings.top_p, f32::MIN_POSITIVE, 1.0, "above 0 and at most 1"),
            ("min_p", settings.min_p, 0.0, 1.0, "between 0 and 1"),
            ("repetition_penalty", settings.repetition_penalty, f32::MIN_POSITIVE, 1e4, "above 0"),
            ("presence_penalty", settings.presence_penalty, -1e4, 1e4, "a finite number"),
            ("frequency_penalty", settings.frequency_penalty, -1e4, 1e4, "a finite number"),
        ];
        for (name, value, least, most, right) in ranges {
            // also refuses NaN
            if !(least..=most).contains(&value) {
                return Err(Error::Request(format!("{name} is {value}, but must be {right}")));
            }
        }
        Ok(settings)
    }
}
