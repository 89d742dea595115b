//! `qwill eval`: exact numbers for given tokens.

use std::collections::BTreeMap;

use pollster::block_on;
use qwill::{EvalCase, EvalReply, KvType, WantedLogits};
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde::{Deserialize, Serialize};

use crate::args::EvalArgs;
use crate::failure::{Failure, about};

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
    if args.logits.is_none() {
        // Nobody said where they would go.
        input.cases.iter_mut().for_each(|case| case.logits = WantedLogits::None);
    }
    let mut options =
        crate::model::options(&args.model.setup, if args.fast { KvType::F16 } else { KvType::F32 });
    options.prefill_chunk = args.chunk;
    let longest = input.cases.iter().map(|case| case.ids.len() + case.greedy).max();
    options.context_length = options.context_length.or(longest.filter(|&n| n > 0));
    let mut model = crate::model::load_with(&args.model.model, &options)?;
    let n_vocab = model.info().vocab_size;
    let mut cases = Vec::new();
    for case in &input.cases {
        cases.push(block_on(model.eval(case))?);
    }
    if let Some(path) = &args.logits {
        write_logits(path, &cases, n_vocab)?;
    }
    let json = serde_json::to_vec(&Output { cases })?;
    std::fs::write(&args.output, json).map_err(|e| about(&args.output, e))
}

fn write_logits(path: &std::path::Path, cases: &[EvalReply], n_vocab: usize) -> Result<(), Failure> {
    let data: BTreeMap<String, Vec<u8>> = cases
        .iter()
        .filter(|case| !case.logits.is_empty())
        .map(|case| {
            (format!("logits.{}", case.name), case.logits.iter().flat_map(|x| x.to_le_bytes()).collect())
        })
        .collect();
    let views = data
        .iter()
        .map(|(name, bytes)| {
            Ok((name, TensorView::new(Dtype::F32, vec![bytes.len() / 4 / n_vocab, n_vocab], bytes)?))
        })
        .collect::<Result<Vec<_>, safetensors::SafeTensorError>>()?;
    safetensors::serialize_to_file(views, None, path).map_err(|e| about(path, e))
}
