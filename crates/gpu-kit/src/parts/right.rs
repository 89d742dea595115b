//! `right`: every golden that is packed, under masks that lead to other kernels.

use pollster::block_on;
use qwill::{Control, Error, EvalCase, KvType, LoadOptions, Model, ModelFiles, WantedLogits};
use qwill_testkit::golden::{
    Answer, CONTEXT, Distance, Expected, FLOATS, PREFILL_CHUNK, QUANTISED, Question,
};
use serde::Serialize;

use crate::caught::caught;
use crate::failure::Stop;
use crate::job::{Job, Size};
use crate::kit::Kit;
use crate::side_by_side::{side_by_side, threads};

const MASKS: [&str; 4] = ["", "no-subgroups", "no-f16", "max-binding=128MiB"];

/// One of each kind.
const FEW: [&str; 7] = [
    "qwen1-ntk-logn",
    "qwen2-swa",
    "qwen2moe-mix",
    "qwen3-tied",
    "q-qwen2-gptq4-act",
    "q-qwen3-fp8",
    "g-qwen3-k/g-qwen3-k-Q4_K_M.gguf",
];
/// The longest prompt that they are asked for then.
const SHORT: usize = 33;

/// A checkpoint under a mask.
#[derive(Debug, Clone, Copy, Serialize)]
struct Case {
    checkpoint: &'static str,
    mask: &'static str,
}

/// How far it is from the reference.
#[derive(Debug, Serialize)]
struct Checked {
    #[serde(flatten)]
    case: Case,
    #[serde(skip_serializing_if = "Option::is_none")]
    largest_logit_difference: Option<f32>,
    /// Differences beyond what is allowed, other tokens, or why there is no result.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    wrong: Vec<String>,
}

/// Compares all of them.
pub(crate) fn run(job: &mut Job) -> Result<String, Stop> {
    let (checkpoints, longest): (Vec<&str>, usize) = match job.size {
        Size::Full => (FLOATS.iter().chain(&QUANTISED).copied().collect(), CONTEXT),
        Size::Quick => (FEW.into(), SHORT),
    };
    let cases: Vec<Case> = MASKS
        .iter()
        .flat_map(|mask| checkpoints.iter().map(|checkpoint| Case { checkpoint, mask }))
        .collect();
    let mut done: Vec<Checked> = Vec::new();
    let mut saved = Ok(());
    let (kit, deadline) = (job.kit.clone(), job.deadline);
    side_by_side(
        threads(),
        &cases,
        || std::time::Instant::now() >= deadline,
        |case| check(&kit, *case, longest),
        |checked| {
            done.push(checked);
            if saved.is_ok() {
                saved = job.save(&done);
            }
        },
    );
    saved?;
    let wrong: Vec<&Checked> = done.iter().filter(|checked| !checked.wrong.is_empty()).collect();
    let largest = done.iter().filter_map(|checked| checked.largest_logit_difference).fold(0.0, f32::max);
    let found = format!(
        "{} of {} checkpoints under masks, {} wrong, largest logit difference {largest:.1e}",
        done.len(),
        cases.len(),
        wrong.len()
    );
    match wrong.first() {
        Some(Checked { case, wrong, .. }) => {
            let first = format!("{} [{}]: {}", case.checkpoint, case.mask, wrong.join("; "));
            Err(Stop::Failed(format!("{found}; first {first}")))
        }
        None if done.len() < cases.len() => Err(Stop::OutOfTime(found)),
        None => Ok(found),
    }
}

fn check(kit: &Kit, case: Case, longest: usize) -> Checked {
    let distance = caught(|| distance(kit, case, longest).map_err(|error| error.to_string()));
    let (largest_logit_difference, wrong) = match distance.and_then(|distance| distance) {
        Ok(Distance { logits, wrong }) => (Some(logits), wrong),
        Err(error) => (None, vec![error]),
    };
    Checked { case, largest_logit_difference, wrong }
}

fn distance(kit: &Kit, case: Case, longest: usize) -> Result<Distance, Error> {
    let expected = Expected::read(&kit.goldens(), case.checkpoint);
    let options = LoadOptions {
        caps_mask: case.mask.into(),
        kv_type: Some(KvType::F32),
        context_length: Some(CONTEXT),
        prefill_chunk: Some(PREFILL_CHUNK),
        ..LoadOptions::default()
    };
    let files = ModelFiles::from_path(kit.goldens().join(case.checkpoint))?;
    let mut model = block_on(Model::load(files, &options, &mut |_| Control::Continue))?;
    let n_vocab = model.info().vocab_size;
    expected.compare(n_vocab, longest, |question| answer(&mut model, question))
}

fn answer(model: &mut Model, question: &Question) -> Result<Answer, Error> {
    let case = EvalCase {
        ids: question.ids.clone(),
        greedy: question.n_greedy,
        logits: WantedLogits::All,
        ..EvalCase::default()
    };
    let reply = block_on(model.eval(&case))?;
    Ok(Answer { logits: reply.logits, perplexity: reply.perplexity, greedy: reply.greedy })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_few_are_some_of_all() {
        assert!(FEW.iter().all(|few| FLOATS.contains(few) || QUANTISED.contains(few)));
    }
}
