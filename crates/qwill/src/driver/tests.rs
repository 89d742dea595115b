//! Texts together, and devices that go away, on every checkpoint.

use std::path::{Path, PathBuf};

use pollster::block_on;
use qwill_kernels::KvType;
use qwill_scheduler::{Rows, Speculation, Wanted, What};
use qwill_testkit::golden::{CONTEXT, Expected, FLOATS, QUANTISED};

use super::Signals;
use crate::requests::{Generation, Reading, rows_of, tokens_of};
use crate::{Control, LoadOptions, Model, ModelFiles};

/// Largest logit difference, as for the goldens: of floats, and of quantised weights.
const EXACT: [f32; 2] = [2e-4, 5e-4];
/// Tokens that each text is continued with.
const N_GREEDY: usize = 12;
/// Tokens of a step: most prompts take several.
const CHUNK: usize = 32;

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden")
}

fn load(path: &str) -> Model {
    let options = LoadOptions {
        kv_type: Some(KvType::F32),
        context_length: Some(CONTEXT),
        cache_tokens: Some(4 * CONTEXT),
        prefill_chunk: Some(CHUNK),
        ..LoadOptions::default()
    };
    let files = ModelFiles::from_path(golden().join(path)).unwrap();
    block_on(Model::load(files, &options, &mut |_| Control::Continue))
        .unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Prompts of different lengths, the longest first.
fn prompts(path: &str) -> Vec<Vec<u32>> {
    let mut prompts: Vec<Vec<u32>> =
        Expected::read(&golden(), path).prompts().into_iter().map(|(_, ids)| ids).collect();
    prompts.retain(|ids| ids.len() <= 200);
    prompts.sort_by_key(|ids| std::cmp::Reverse(ids.len()));
    prompts.dedup_by_key(|ids| ids.len());
    prompts.truncate(5);
    assert!(prompts.len() >= 2 && prompts[0].len() > 2 * CHUNK, "{path}: {} prompts", prompts.len());
    prompts
}

fn start(model: &Model, prompt: &[u32]) -> Signals {
    let n_vocab = model.facts().plan.dims.vocab_size;
    model.generate(Generation::greedy(prompt.to_vec(), Vec::new(), n_vocab, N_GREEDY)).unwrap()
}

/// Continues a text with the likelier of two tokens, so that it repeats itself, with guesses or without; the tokens, and how
/// many were guessed.
fn continue_with_two(model: &Model, prompt: &[u32], speculation: Speculation) -> (Vec<u32>, usize) {
    let generation = Generation::greedy(prompt.to_vec(), Vec::new(), 2, 4 * N_GREEDY);
    let mut signals = model.generate(Generation { speculation, ..generation }).unwrap();
    let (mut tokens, mut n) = (Vec::new(), 0);
    while let Some(what) = block_on(signals.next()) {
        match what.unwrap() {
            What::Token(sampled) => tokens.push(sampled.id),
            What::Guessed { n_guessed, .. } => n += n_guessed,
            _ => {}
        }
    }
    (tokens, n)
}

fn start_reading(model: &Model, prompt: &[u32]) -> Signals {
    let (rows, want) = (Rows::Every, Wanted::Scores);
    let reading = Reading { ids: prompt.to_vec(), adapters: Vec::new(), chunk: None, rows, want };
    model.start_reading(reading).unwrap()
}

/// Waits for a signal; the tokens that came before it, or with it.
fn wait_for(signals: &mut Signals, is_meant: impl Fn(&What) -> bool) -> Vec<u32> {
    let mut tokens = Vec::new();
    loop {
        let what = block_on(signals.next()).expect("it goes on").unwrap();
        let is_found = is_meant(&what);
        if let What::Token(sampled) = what {
            tokens.push(sampled.id);
        }
        if is_found {
            return tokens;
        }
    }
}

fn check_together(path: &str, tolerance: f32) {
    let (model, prompts) = (load(path), prompts(path));
    let alone: Vec<(Vec<u32>, Vec<Vec<f32>>)> = prompts
        .iter()
        .map(|prompt| {
            block_on(model.reset()).unwrap();
            let rows = block_on(rows_of(start_reading(&model, prompt))).unwrap();
            (block_on(tokens_of(start(&model, prompt))).unwrap(), rows)
        })
        .collect();

    block_on(model.reset()).unwrap();
    let running: Vec<_> =
        prompts.iter().map(|prompt| (start(&model, prompt), start_reading(&model, prompt))).collect();
    let mut worst = 0.0f32;
    for ((tokens, rows), (expected, expected_rows)) in running.into_iter().zip(&alone) {
        assert_eq!(block_on(tokens_of(tokens)).unwrap(), *expected, "{path}: {} rows", expected_rows.len());
        let rows = block_on(rows_of(rows)).unwrap();
        assert_eq!(rows.len(), expected_rows.len());
        for (row, expected) in rows.iter().flatten().zip(expected_rows.iter().flatten()) {
            worst = worst.max((row - expected).abs());
        }
    }
    println!("{path}: together, logits differ by {worst:e} at most");
    assert!(worst <= tolerance, "{path}: together, logits differ by {worst:e}");

    let prompt = &prompts[prompts.len() - 1];
    let (plain, none) = continue_with_two(&model, prompt, Speculation::Off);
    let (tokens, n_guessed) = continue_with_two(&model, prompt, Speculation::Ngram);
    assert_eq!(tokens, plain, "{path}: with guesses");
    assert!(none == 0 && n_guessed > 0, "{path}: {n_guessed} tokens were guessed");

    // a device that goes away while the longest prompt is read, and one while tokens are drawn
    let is_half_read = |what: &What| matches!(what, What::Progress { n_read, n_tokens } if n_read < n_tokens);
    let is_token = |what: &What| matches!(what, What::Token(_));
    for lost_when in [&is_half_read as &dyn Fn(&What) -> bool, &is_token] {
        block_on(model.reset()).unwrap();
        let mut running: Vec<Signals> = prompts[..2].iter().map(|prompt| start(&model, prompt)).collect();
        let before = wait_for(&mut running[0], lost_when);
        block_on(model.destroy_device()).unwrap();
        for (index, signals) in running.into_iter().enumerate() {
            let mut tokens = if index == 0 { before.clone() } else { Vec::new() };
            tokens.extend(block_on(tokens_of(signals)).unwrap());
            assert_eq!(tokens, alone[index].0, "{path}: after the device was lost, text {index}");
        }
    }
}

#[test]
fn floats_together_and_after_a_lost_device() {
    FLOATS.iter().for_each(|path| check_together(path, EXACT[0]));
}

#[test]
fn quantised_weights_together_and_after_a_lost_device() {
    QUANTISED.iter().for_each(|path| check_together(path, EXACT[1]));
}
