//! What follows the last layer: next-token logits, classification, rewards, or nothing.

use serde_json::Value;

use crate::config::{Config, Default, Error, invalid};
use crate::plan::{Head, HeadLayer, HeadThen, Norm, Outputs, Scored, TensorRef, Weight};
use crate::registers::{Register, RegisterRows};
use crate::stream::Layers;

/// The head that `architectures[0]` names; a language model's when it is none of the others.
pub(crate) fn head(
    config: &Config,
    Layers { dims, stream, registers }: &mut Layers<'_>,
    norm: Norm,
    embedding: Weight,
) -> Result<Head, Error> {
    let architecture = config.architecture().unwrap_or_default();
    let hidden = dims.hidden_size;
    let rows = RegisterRows::Outputs;
    let states = registers.named("output states", rows, hidden);
    let mut output = |width| registers.named("outputs", rows, width);
    let scores = |n_labels, of| {
        let pad_token = config.get("pad_token_id").and_then(Value::as_u64).map(|id| id as u32);
        Outputs::Scores { n_labels, of, pad_token }
    };
    let (layers, outputs) = if architecture.ends_with("ForSequenceClassification") {
        let n_labels = n_labels(config, 2)?;
        (
            vec![linear("score.weight", "cls.output.weight", n_labels, hidden, output(n_labels))],
            scores(n_labels, Scored::LastToken),
        )
    } else if architecture.ends_with("ForRewardModel") || architecture.ends_with("ForProcessRewardModel") {
        let (n_labels, of) = match architecture.ends_with("ForProcessRewardModel") {
            true => (n_labels(config, 2)?, Scored::Steps),
            false => (n_labels(config, 1)?, Scored::EveryToken),
        };
        // The Sequential's member 1 is the ReLU.
        let last = biased("score.2", n_labels, hidden, output(n_labels));
        let inner = registers.named("inner output states", rows, hidden);
        let first = HeadLayer { then: HeadThen::Relu, ..biased("score.0", hidden, hidden, inner) };
        (vec![first, last], scores(n_labels, of))
    } else if architecture.ends_with("Model") {
        (vec![], Outputs::States)
    } else {
        let weight = match config.flag("tie_word_embeddings", Default::False)? {
            true => embedding,
            false => {
                Weight::single(TensorRef::new("lm_head.weight", "output.weight", &[dims.vocab_size, hidden]))
            }
        };
        let output = output(dims.vocab_size);
        (vec![HeadLayer { weight, bias: None, then: HeadThen::Store, output }], Outputs::Logits)
    };
    Ok(Head { input: stream.hidden, norm, states, layers, outputs })
}

fn linear(hf: &str, gguf: &str, rows: usize, columns: usize, output: Register) -> HeadLayer {
    let weight = Weight::single(TensorRef::new(hf, gguf, &[rows, columns]));
    HeadLayer { weight, bias: None, then: HeadThen::Store, output }
}

/// A layer of a reward model; GGUF has no names for these.
fn biased(name: &str, rows: usize, columns: usize, output: Register) -> HeadLayer {
    let (weight, bias) = (format!("{name}.weight"), format!("{name}.bias"));
    let bias = Some(TensorRef::new(&bias, &bias, &[rows]));
    HeadLayer { bias, ..linear(&weight, &weight, rows, columns, output) }
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
