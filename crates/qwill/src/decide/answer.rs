//! What is answered.

use serde::{Serialize, Serializer};
use serde_json::json;

use super::message::order;
use super::request::{ChoiceValue, Question, QuestionKind};
use crate::Timings;

/// Answers to the questions of a request.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Decision {
    /// Who decided.
    pub model: String,
    /// One for each question, in their order.
    pub answers: Vec<Answer>,
    /// Token counts.
    pub usage: DecisionUsage,
    /// Times: there is only prefill.
    pub timings: Timings,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Answer {
    /// What the question is called.
    pub name: Option<String>,
    /// The answer.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// What an answer says, by the kind of the question.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Outcome {
    /// Of a yes-or-no question.
    Predicate {
        /// Of yes.
        probability: f64,
    },
    /// Of a question with choices.
    Choice {
        /// The most likely one.
        choice: ChoiceValue,
        /// How far it stands above chance, from 0 to 1.
        confidence: f64,
        /// All of them, in the order in which they were given.
        probabilities: Vec<ChoiceProbability>,
    },
    /// Of a question with levels.
    Score {
        /// The expected level, from 0 for the lowest to their number less one.
        score: f64,
        /// How far the most likely level stands above chance, from 0 to 1.
        confidence: f64,
        /// All of them, the lowest first.
        probabilities: Vec<LevelProbability>,
    },
}

/// How likely a choice is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ChoiceProbability {
    /// Which one.
    pub value: ChoiceValue,
    /// How likely.
    pub probability: f64,
}

/// How likely a level is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LevelProbability {
    /// Its number, from 0.
    pub value: usize,
    /// What it is called.
    pub label: String,
    /// How likely.
    pub probability: f64,
}

/// Token counts. As JSON they have the shape of OpenAI's responses, with `read_tokens` besides.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DecisionUsage {
    /// Tokens of the request: what all questions begin with once, then each question and each of its options.
    pub input_tokens: usize,
    /// Tokens of the first question that the cache held from earlier requests.
    pub cached_tokens: usize,
    /// Tokens that the device read. Options share the question and questions the input, but the last token of a question is
    /// read with each option.
    pub read_tokens: usize,
}

impl Serialize for DecisionUsage {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { input_tokens, cached_tokens, read_tokens } = self;
        let json = json!({
            "input_tokens": input_tokens,
            "input_tokens_details": {"cached_tokens": cached_tokens},
            "output_tokens": 0,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": input_tokens,
            "read_tokens": read_tokens,
        });
        json.serialize(serializer)
    }
}

impl Answer {
    /// From the log probabilities of a question's options, in the order in which the model heard of them.
    pub(super) fn new(question: &Question, logprobs: &[f64]) -> Self {
        let likely = softmax(logprobs);
        let order = order(&question.kind);
        let best = (1..likely.len()).fold(0, |best, at| if likely[at] > likely[best] { at } else { best });
        let outcome = match &question.kind {
            QuestionKind::Predicate => Outcome::Predicate { probability: likely[0] },
            QuestionKind::Choice { choices } => {
                let mut probabilities: Vec<ChoiceProbability> = choices
                    .iter()
                    .map(|choice| ChoiceProbability { value: choice.value.clone(), probability: 0.0 })
                    .collect();
                for (&index, &probability) in order.iter().zip(&likely) {
                    probabilities[index].probability = probability;
                }
                let choice = choices[order[best]].value.clone();
                Outcome::Choice { choice, confidence: confidence(&likely), probabilities }
            }
            QuestionKind::Score { levels } => {
                let score = likely.iter().enumerate().map(|(level, p)| level as f64 * p).sum();
                let levels = levels.iter().zip(&likely).enumerate();
                let probabilities = levels.map(|(value, (level, &probability))| LevelProbability {
                    value,
                    label: level.label.clone(),
                    probability,
                });
                let probabilities = probabilities.collect();
                Outcome::Score { score, confidence: confidence(&likely), probabilities }
            }
        };
        Self { name: question.name.clone(), outcome }
    }
}

/// Probabilities that add up to 1.
fn softmax(logprobs: &[f64]) -> Vec<f64> {
    let top = logprobs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let weights: Vec<f64> = logprobs.iter().map(|logprob| (logprob - top).exp()).collect();
    let sum: f64 = weights.iter().sum();
    weights.into_iter().map(|weight| weight / sum).collect()
}

/// How far the most likely of several options stands above chance.
fn confidence(likely: &[f64]) -> f64 {
    let chance = 1.0 / likely.len() as f64;
    let top = likely.iter().copied().fold(0.0, f64::max);
    ((top - chance) / (1.0 - chance)).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logs<const N: usize>(probabilities: [f64; N]) -> [f64; N] {
        probabilities.map(|p| (p / 1e30).ln())
    }

    #[test]
    fn answers_have_openais_shapes() {
        let answer = Answer::new(&Question::predicate("?").named("a"), &logs([0.75, 0.25]));
        assert_eq!(answer.name.as_deref(), Some("a"));
        let Outcome::Predicate { probability } = answer.outcome else { panic!("{answer:?}") };
        assert!((probability - 0.75).abs() < 1e-12);

        // the order of the model is that of the texts
        let answer = Answer::new(&Question::choice("?", ["c", "a", "b"]), &logs([0.25, 0.0625, 0.6875]));
        let json = json!(answer);
        assert_eq!(
            (&json["type"], &json["name"], &json["choice"]),
            (&json!("choice"), &json!(null), &json!("c"))
        );
        for (index, value, probability) in [(0, "c", 0.6875), (1, "a", 0.25), (2, "b", 0.0625)] {
            let told = &json["probabilities"][index];
            assert_eq!(told["value"], value);
            assert!((told["probability"].as_f64().unwrap() - probability).abs() < 1e-12, "{json}");
        }
        assert!((json["confidence"].as_f64().unwrap() - (0.6875 - 1.0 / 3.0) * 1.5).abs() < 1e-12);

        let json = json!(Answer::new(&Question::score("?", ["z", "y", "x"]), &logs([0.5, 0.0, 0.5])));
        assert!((json["score"].as_f64().unwrap() - 1.0).abs() < 1e-12);
        assert_eq!(json["probabilities"][2]["label"], "x");
        assert_eq!(json["probabilities"][2]["value"], 2);
        let usage = DecisionUsage { input_tokens: 5, cached_tokens: 2, read_tokens: 4 };
        assert_eq!(json!(usage)["input_tokens_details"]["cached_tokens"], 2);
    }

    #[test]
    fn confidence_is_distance_from_chance() {
        assert_eq!(confidence(&[0.5, 0.5]), 0.0);
        assert_eq!(confidence(&[0.0, 1.0, 0.0]), 1.0);
        assert!((confidence(&[0.25, 0.75]) - 0.5).abs() < 1e-12);
        // far below what an f64 holds as a probability
        assert_eq!(softmax(&[-5000.0, -5000.0]), [0.5, 0.5]);
    }
}
