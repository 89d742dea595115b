//! Several texts in one step.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use pollster::block_on;
use qwill_engine::Engine;
use qwill_kernels::KvType;
use qwill_models::step::{Among, Answer, Begin, Output, PAGE, Sampler, Source, Span, Step, Want};

use crate::driver::{Devices, Factory};
use crate::{LoadOptions, ModelFiles};

/// Largest logit difference, as for the goldens.
const EXACT: f32 = 2e-4;
/// Where what is compared begins.
const POSITION: usize = 20;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden").join(name)
}

/// An engine with adapters, whose numbers are their places.
fn load(base: &str, adapters: &[&str], mask: &str) -> Engine {
    let options = LoadOptions {
        caps_mask: mask.into(),
        kv_type: Some(KvType::F32),
        context_length: Some(64),
        cache_tokens: Some(8 * 64),
        ..LoadOptions::default()
    };
    let files = ModelFiles::from_path(golden(base)).unwrap();
    let adapters = adapters.iter().zip(0..);
    let adapters =
        adapters.map(|(name, id)| (ModelFiles::from_path(golden(name)).unwrap(), (*name).to_owned(), id));
    let mut factory = Factory { devices: Devices::Own, files, options, adapters: adapters.collect() };
    block_on(factory.rebuild()).unwrap()
}

/// A prompt of the golden, more than [`POSITION`] tokens.
fn prompt(golden_name: &str) -> Vec<u32> {
    let expected = std::fs::read(golden(golden_name).join("expected.json")).unwrap();
    let expected: serde_json::Value = serde_json::from_slice(&expected).unwrap();
    let prompts: BTreeMap<String, Vec<u32>> = serde_json::from_value(expected["prompts"].clone()).unwrap();
    prompts["L33"].clone()
}

fn answers(engine: &mut Engine, step: &Step) -> Vec<Answer> {
    let pending = block_on(engine.submit(step, Vec::new)).unwrap();
    block_on(pending.answers()).unwrap()
}

fn step_of(spans: &[Span]) -> Step {
    Step { spans: spans.to_vec(), ..Step::default() }
}

/// Reads the prompt in a slot with a set of adapters, up to [`POSITION`]; returns the span of the `n` tokens from there, of
/// which the first one's state and each one's scores are wanted.
fn begin(engine: &mut Engine, slot: u32, ids: &[u32], n: usize, adapters: &[(u64, f32)]) -> Span {
    let span = |range: std::ops::Range<usize>, outputs| {
        let tokens = ids[range.clone()].iter().map(|&id| Source::Id(id)).collect();
        // two pages are enough for each
        let pages = vec![2 * slot, 2 * slot + 1][..range.end.div_ceil(PAGE)].to_vec();
        let (position, n_prompt) = (range.start, ids.len());
        Span { slot, position, tokens, pages, n_prompt, adapters: adapters.to_vec(), outputs }
    };
    let mut step = step_of(&[span(0..POSITION, Vec::new())]);
    let sampler = Sampler::greedy(engine.plan().dims.vocab_size as u32);
    step.begins.push(Begin { slot, sampler, bias: Vec::new(), prompt: Vec::new(), drawn: Vec::new() });
    assert_eq!(answers(engine, &step), []);
    let mut outputs = vec![Output { row: 0, want: Want::State }];
    outputs.extend((0..n).map(|row| Output { row, want: Want::Scores }));
    outputs.push(Output {
        row: n - 1,
        want: Want::Token { among: Among::All, seed: 0, index: 0, logprobs: None },
    });
    span(POSITION..POSITION + n, outputs)
}

/// The largest difference of what was answered.
fn difference(one: &[Answer], other: &[Answer]) -> f32 {
    assert_eq!(one.len(), other.len());
    let of_rows = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    let of_answers = |(one, other): (&Answer, &Answer)| match (one, other) {
        (Answer::Scores(one), Answer::Scores(other)) | (Answer::State(one), Answer::State(other)) => {
            of_rows(one, other)
        }
        (Answer::Token(one), Answer::Token(other)) => {
            assert_eq!(one, other);
            0.0
        }
        _ => panic!("{one:?} is not the kind of {other:?}"),
    };
    one.iter().zip(other).map(of_answers).fold(0.0, f32::max)
}

/// Launches of a step.
fn n_launches(engine: &mut Engine, spans: &[Span]) -> usize {
    let written = block_on(engine.write(&step_of(spans))).unwrap();
    engine.ready(&written).launches.len()
}

fn check_texts_together(base: &str, adapters: &[&str], mask: &str) {
    let engine = &mut load(base, adapters, mask);
    let ids = prompt(adapters[0]);
    let set = |scales: &[f32]| -> Vec<(u64, f32)> {
        let used = (0..).zip(scales).take(adapters.len());
        used.map(|(id, &scale)| (id, scale)).filter(|(_, scale)| *scale != 0.0).collect()
    };
    let sets = [set(&[0.5, -1.5]), set(&[]), set(&[1.0]), set(&[0.0, 1.0])];
    // long and short ones in turn: a step sorts them
    let texts = [(0, 5), (0, 1), (1, 1), (1, 6), (2, 9), (3, 1), (2, 1), (3, 2)];
    let spans: Vec<Span> =
        (0..).zip(texts).map(|(slot, (set, n))| begin(engine, slot, &ids, n, &sets[set])).collect();
    let alone: Vec<Vec<Answer>> =
        spans.iter().map(|span| answers(engine, &step_of(std::slice::from_ref(span)))).collect();
    for (one, (set, _)) in alone.iter().zip(texts) {
        for (other, (other_set, _)) in alone.iter().zip(texts) {
            if sets[set] != sets[other_set] {
                let first = difference(&one[1..2], &other[1..2]);
                assert!(first > 50.0 * EXACT, "{adapters:?}: {set} and {other_set} differ by {first:e}");
            }
        }
    }
    let singles: Vec<usize> = (0..texts.len()).filter(|&text| texts[text].1 == 1).collect();
    let all: Vec<usize> = (0..texts.len()).collect();
    let turned: Vec<usize> = singles.iter().rev().copied().collect();
    // each leaves factors behind that the next one must not meet
    for chosen in [&all, &singles, &turned, &all] {
        let chosen_spans: Vec<Span> = chosen.iter().map(|&text| spans[text].clone()).collect();
        let mut together = &answers(engine, &step_of(&chosen_spans))[..];
        for &text in chosen {
            let (of_text, rest) = together.split_at(alone[text].len());
            let worst = difference(of_text, &alone[text]);
            assert!(worst <= EXACT, "{adapters:?} [{mask}]: text {text} of {chosen:?} differs by {worst:e}");
            together = rest;
        }
        assert!(together.is_empty());
    }

    // an adapter is launched once for all who use it, and not for those who use none of it
    let launches_of = |engine: &mut Engine, scales: [f32; 2]| {
        let with =
            |(span, scale): (&Span, f32)| Span { adapters: vec![(sets[2][0].0, scale)], ..span.clone() };
        let spans: Vec<Span> = [&spans[0], &spans[4]].into_iter().zip(scales).map(with).collect();
        n_launches(engine, &spans)
    };
    let none = launches_of(engine, [0.0, 0.0]);
    let both = launches_of(engine, [0.5, 2.0]);
    assert!(both > none, "{both} launches, {none} without");
    assert_eq!(launches_of(engine, [1.0, 1.0]), both);
    assert_eq!(launches_of(engine, [0.0, 1.0]), both);

    engine.unload_adapter(0);
    let Err(error) = block_on(engine.submit(&step_of(&spans), Vec::new)) else {
        panic!("{adapters:?}: ran unloaded")
    };
    assert!(error.to_string().contains("was unloaded"), "{error}");
    // the others go on
    let gone = sets[2][0].0;
    let go_on = |&text: &usize| spans[text].adapters.iter().all(|&(id, _)| id != gone);
    let others: Vec<usize> = all.into_iter().filter(go_on).collect();
    let other_spans: Vec<Span> = others.iter().map(|&text| spans[text].clone()).collect();
    let wanted: Vec<Answer> = others.iter().flat_map(|&text| alone[text].clone()).collect();
    assert!(!wanted.is_empty());
    assert!(difference(&answers(engine, &step_of(&other_spans)), &wanted) <= EXACT);
}

/// Log probabilities that the reference gives for the tokens after the prompt of the goldens.
#[test]
fn reports_are_those_of_the_reference() {
    for (name, mask) in [("qwen2-tied", ""), ("qwen3-tied", "no-software"), ("qwen2moe-mix", "")] {
        let engine = &mut load(name, &[], mask);
        let expected = std::fs::read(golden(name).join("expected.json")).unwrap();
        let expected: serde_json::Value = serde_json::from_slice(&expected).unwrap();
        let wanted: Vec<(u32, f32)> = serde_json::from_value(expected["top5"]["L33"].clone()).unwrap();
        let ids = prompt(name);
        let mut span = begin(engine, 1, &ids, ids.len() - POSITION, &[]);
        let row = span.tokens.len() - 1;
        let token =
            |logprobs| Output { row, want: Want::Token { among: Among::All, seed: 0, index: 0, logprobs } };
        let of_third = Output { row, want: Want::Logprobs { token: wanted[2].0, n_top: 1 } };
        let is_near = |found: f32, wanted: f32| (found - wanted).abs() < 1e-4;

        span.outputs = vec![token(Some(5)), Output { row, want: Want::Scores }, of_third];
        let found = answers(engine, &step_of(std::slice::from_ref(&span)));
        let [Answer::Token(drawn), Answer::Scores(_), Answer::Logprobs(third)] = &found[..] else {
            panic!("{name}: {found:?}")
        };
        let first = drawn.logprobs.as_ref().unwrap();
        assert_eq!((drawn.id, first.logprob, third.top[0]), (wanted[0].0, first.top[0].1, first.top[0]));
        assert!(is_near(third.logprob, wanted[2].1) && third.top.len() == 1, "{name}: {third:?}");
        assert_eq!(first.top.len(), wanted.len());
        for (&(id, logprob), (wanted_id, wanted)) in first.top.iter().zip(wanted) {
            assert!(id == wanted_id && is_near(logprob, wanted), "{name} [{mask}]: {first:?}");
        }

        // a step that asks for nothing of it runs and reads what it always did
        let mut cost = |output: Output| {
            span.outputs = vec![output];
            let written = block_on(engine.write(&step_of(std::slice::from_ref(&span)))).unwrap();
            (engine.ready(&written).launches.len(), written.drawn_bytes())
        };
        let (n_launches, bytes) = cost(token(None));
        assert_eq!(bytes, 4);
        let (n_with, bytes_with) = cost(token(Some(0)));
        assert!(n_with == n_launches + 1 && bytes_with > bytes, "{n_with} launches, {n_launches} without");
    }
}

#[test]
fn texts_with_different_adapters_run_in_one_step() {
    for mask in ["", "no-software"] {
        // output matrix; embedding; experts
        check_texts_together("qwen2-untied", &["lora-qwen2", "lora-stacked"], mask);
        check_texts_together("qwen3-tied", &["lora-embedding", "lora-qwen3"], mask);
        check_texts_together("qwen2moe-mix", &["lora-qwen2moe"], mask);
    }
}
