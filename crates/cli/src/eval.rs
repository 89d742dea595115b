//! `qwill eval`: exact numbers for given tokens.

use futures_util::stream::{self, StreamExt, TryStreamExt};
use pollster::block_on;
use qwill::{EvalCase, EvalReply, KvType, Pooled, WantedLogits};
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde::{Deserialize, Serialize};

use crate::args::EvalArgs;
use crate::failure::{Failure, about};

/// Cases that are on their way together; as many run at a time unless the arguments say otherwise.
const MOST_AT_ONCE: usize = 8;
/// Tokens that the cache holds, unless a case is longer or the arguments say otherwise.
const MOST_CACHE_TOKENS: usize = 8192;

#[derive(Deserialize)]
struct Input {
    cases: Vec<EvalCase>,
}

#[derive(Serialize)]
struct Output {
    cases: Vec<EvalReply>,
}

pub(crate) fn eval(args: &EvalArgs) -> Result<(), Failure> {
    let bytes = std::fs::read(&args.input).map_err(|e| about(&args.input, e))?;
    let mut input: Input = serde_json::from_slice(&bytes).map_err(|e| about(&args.input, e))?;
    let pooled = match (args.embed, args.score) {
        (true, _) => Pooled::Embedding,
        (false, true) => Pooled::Score,
        (false, false) => Pooled::None,
    };
    for case in &mut input.cases {
        case.pooled = pooled;
        if args.logits.is_none() {
            // Nobody said where they would go.
            case.logits = WantedLogits::None;
        }
    }
    let mut options =
        crate::model::options(&args.model.setup, if args.fast { KvType::F16 } else { KvType::F32 });
    options.prefill_chunk = args.chunk;
    let longest = input.cases.iter().map(|case| case.ids.len() + case.greedy).max();
    options.context_length = options.context_length.or(longest.filter(|&n| n > 0));
    // no more than `run` takes for a context: cases that find no room wait
    let together = longest.unwrap_or(0) * MOST_AT_ONCE;
    options.cache_tokens.get_or_insert(together.min(MOST_CACHE_TOKENS));
    let model = crate::model::load_with(&args.model.model, &options, &args.model.setup.lora)?;
    let n_vocab = model.info().vocab_size;
    let running = stream::iter(&input.cases).map(|case| model.eval(case)).buffered(MOST_AT_ONCE);
    let cases: Vec<EvalReply> = block_on(running.try_collect())?;
    if let Some(path) = &args.logits {
        let tensors: Vec<Tensor> = cases.iter().flat_map(|case| tensors(case, n_vocab)).collect();
        write(path, &tensors)?;
    }
    let json = serde_json::to_vec(&Output { cases })?;
    std::fs::write(&args.output, json).map_err(|e| about(&args.output, e))
}

/// A tensor to write.
struct Tensor {
    name: String,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl Tensor {
    fn new(name: String, shape: Vec<usize>, values: &[f32]) -> Self {
        Self { name, shape, bytes: values.iter().flat_map(|x| x.to_le_bytes()).collect() }
    }
}

/// What a case gave that is too large for JSON.
fn tensors(case: &EvalReply, n_vocab: usize) -> Vec<Tensor> {
    let mut all = Vec::new();
    let named = |kind: &str| format!("{kind}.{}", case.name);
    if !case.logits.is_empty() {
        all.push(Tensor::new(named("logits"), vec![case.logits.len() / n_vocab, n_vocab], &case.logits));
    }
    if !case.embedding.is_empty() {
        all.push(Tensor::new(named("embedding"), vec![case.embedding.len()], &case.embedding));
    }
    if let Some(scores) = &case.scores {
        all.push(Tensor::new(named("score"), vec![scores.last.len()], &scores.last));
        if let Some(tokens) = &scores.tokens {
            let shape = vec![tokens.len(), scores.last.len()];
            all.push(Tensor::new(named("score_tokens"), shape, &tokens.concat()));
        }
    }
    all
}

fn write(path: &std::path::Path, tensors: &[Tensor]) -> Result<(), Failure> {
    let views = tensors
        .iter()
        .map(|tensor| Ok((&tensor.name, TensorView::new(Dtype::F32, tensor.shape.clone(), &tensor.bytes)?)))
        .collect::<Result<Vec<_>, safetensors::SafeTensorError>>()?;
    safetensors::serialize_to_file(views, None, path).map_err(|e| about(path, e))
}
