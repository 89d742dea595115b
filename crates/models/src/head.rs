//! What follows the last layer: next-token logits, classification, rewards, or nothing.

use serde_json::Value;

use crate::config::{Config, Default, Error, invalid};
use crate::plan::{Dims, Head, HeadLayer, HeadThen, Norm, Outputs, Scored, TensorRef, Weight};

/// The head that `architectures[0]` names; a language model's when it is none of the others.
pub(crate) fn head(config: &Config, dims: &Dims, norm: Norm, embedding: Weight) -> Result<Head, Error> {
    let architecture = config.architecture().unwrap_or_default();
    let hidden = dims.hidden_size;
    let scores = |n_labels, of| {
        let pad_token = config.get("pad_token_id").and_then(Value::as_u64).map(|id| id as u32);
        Outputs::Scores { n_labels, of, pad_token }
    };
    let (layers, outputs) = if architecture.ends_with("ForSequenceClassification") {
        let n_labels = n_labels(config, 2)?;
        (
            vec![linear("score.weight", "cls.output.weight", n_labels, hidden)],
            scores(n_labels, Scored::LastToken),
        )
    } else if architecture.ends_with("ForRewardModel") || architecture.ends_with("ForProcessRewardModel") {
        let (n_labels, of) = match architecture.ends_with("ForProcessRewardModel") {
            true => (n_labels(config, 2)?, Scored::Steps),
            false => (n_labels(config, 1)?, Scored::EveryToken),
        };
        // The Sequential's member 1 is the ReLU.
        let inner = HeadLayer { then: HeadThen::Relu, ..biased("score.0", hidden, hidden) };
        (vec![inner, biased("score.2", n_labels, hidden)], scores(n_labels, of))
    } else if architecture.ends_with("Model") {
        (vec![], Outputs::States)
    } else {
        let weight = match config.flag("tie_word_embeddings", Default::False)? {
            true => embedding,
            false => {
                Weight::single(TensorRef::new("lm_head.weight", "output.weight", &[dims.vocab_size, hidden]))
            }
        };
        (vec![HeadLayer { weight, bias: None, then: HeadThen::Store }], Outputs::Logits)
    };
    Ok(Head { norm, layers, outputs })
}

fn linear(hf: &str, gguf: &str, rows: usize, columns: usize) -> HeadLayer {
    let weight = Weight::single(TensorRef::new(hf, gguf, &[rows, columns]));
    HeadLayer { weight, bias: None, then: HeadThen::Store }
}

/// A layer of a reward model; GGUF has no names for these.
fn biased(name: &str, rows: usize, columns: usize) -> HeadLayer {
    let (weight, bias) = (format!("{name}.weight"), format!("{name}.bias"));
    HeadLayer { bias: Some(TensorRef::new(&bias, &bias, &[rows])), ..linear(&weight, &weight, rows, columns) }
}

/// `num_labels`, or the length of `id2label`.
fn n_labels(config: &Config, default: usize) -> Result<usize, Error> {
    if let Some(n) = config.count_opt("num_labels")? {
        return Ok(n);
    }
    match config.get("id2label") {
        None => Ok(default),
        Some(Value::Object(labels)) if !labels.is_empty() => Ok(labels.len()),
        Some(other) => Err(invalid("id2label", other, "a table of labels is needed")),
    }
}
