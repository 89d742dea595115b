//! Numbers of the reference implementation, through the public API, on every capability mask.
//!
//! `tests/golden/` holds tiny random checkpoints in the official layouts with logits, greedy continuations and
//! perplexities of transformers in float32 (`tests/golden/scripts/` made them).

use std::path::{Path, PathBuf};

use pollster::block_on;
use qwill::{Control, Error, EvalCase, KvType, LoadOptions, Model, ModelFiles, WantedLogits};
use qwill_testkit::golden::{Answer, CONTEXT, Expected, FLOATS, PREFILL_CHUNK, QUANTISED, Question};

/// What an f16 cache may cost, and most often an 8-bit one: rms of the difference over the deviation of the logits.
const FAST: f64 = 0.02;

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden")
}

fn expected(path: &str) -> Expected {
    Expected::read(&golden(), path)
}

fn load(path: &str, mask: &str, kv: KvType, chunk: usize) -> Model {
    let options = LoadOptions {
        caps_mask: mask.into(),
        kv_type: Some(kv),
        context_length: Some(CONTEXT),
        prefill_chunk: Some(chunk),
        ..LoadOptions::default()
    };
    let files = ModelFiles::from_path(golden().join(path)).unwrap();
    block_on(Model::load(files, &options, &mut |_| Control::Continue))
        .unwrap_or_else(|e| panic!("{path}: {e}"))
}

fn check_exact(mask: &str) {
    let mut worst_of_all = 0.0f32;
    for path in FLOATS.iter().chain(&QUANTISED) {
        let model = load(path, mask, KvType::F32, PREFILL_CHUNK);
        let n_vocab = model.info().vocab_size;
        let distance = expected(path).compare(n_vocab, CONTEXT, |question| answer(&model, question));
        let distance = distance.unwrap_or_else(|error| panic!("{path} [{mask}]: {error}"));
        println!("{path} [{mask}]: largest logit difference {:e}", distance.logits);
        assert!(distance.wrong.is_empty(), "{path} [{mask}]: {}", distance.wrong.join("; "));
        worst_of_all = worst_of_all.max(distance.logits);
    }
    println!("[{mask}] largest logit difference {worst_of_all:e}");
}

fn answer(model: &Model, question: &Question) -> Result<Answer, Error> {
    let case = EvalCase {
        ids: question.ids.clone(),
        greedy: question.n_greedy,
        logits: WantedLogits::All,
        ..EvalCase::default()
    };
    let reply = block_on(model.eval(&case))?;
    Ok(Answer { logits: reply.logits, perplexity: reply.perplexity, greedy: reply.greedy })
}

#[test]
fn exact_with_all_capabilities() {
    check_exact("");
}

#[test]
fn exact_with_gpu_shaped_kernels() {
    check_exact("no-software");
}

#[test]
fn exact_with_gpu_shaped_kernels_without_subgroups() {
    check_exact("no-software,no-subgroups");
}

#[test]
fn exact_without_f16_and_dot4() {
    check_exact("no-f16,no-dot4,no-subgroups");
}

/// So small that every embedding and most projections lie in several shards; within the smallest bindings of WebGPU, 128 MiB,
/// these checkpoints lie in one.
#[test]
fn exact_with_sharded_matrices() {
    check_exact("max-binding=384KiB");
}

#[test]
fn chunked_prefill_equals_one_shot() {
    for path in [
        "qwen1-ntk-logn",
        "qwen2-untied",
        "qwen2-swa",
        "qwen2-dynamic",
        "qwen2-dca-odd",
        "qwen2moe-mix",
        "qwen3-tied",
        "qwen3moe-swa",
    ] {
        let expected = expected(path);
        let model = load(path, "", KvType::F32, 640);
        for (_, ids) in expected.prompts() {
            let whole_case = EvalCase { ids, logits: WantedLogits::All, ..EvalCase::default() };
            let whole = block_on(model.eval(&whole_case)).unwrap().logits;
            let n = whole_case.ids.len();
            for chunk in [1, 7, 33, 128] {
                if chunk == 1 && n > 130 {
                    continue;
                }
                let case = EvalCase { chunk: Some(chunk), ..whole_case.clone() };
                let parts = block_on(model.eval(&case)).unwrap().logits;
                let worst = whole.iter().zip(&parts).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                assert!(worst <= 5e-5, "{path}, {n} tokens in chunks of {chunk}: differs by {worst:e}");
            }
        }
    }
}

#[test]
fn the_fast_path_is_close() {
    check_close(FLOATS.iter().chain(&QUANTISED), KvType::F16, FAST);
}

/// Checkpoints of every visibility and position scaling, with what an 8-bit cache may cost them: more where few keys share
/// the attention, so that their rounding errors do not cancel, and where the errors choose other experts.
const CACHED: [(&str, f64); 6] = [
    ("qwen2-swa", 0.04),
    ("qwen2moe-mix", 0.1),
    ("qwen2-dca", FAST),
    ("qwen1-ntk-logn", FAST),
    ("qwen2-tied", FAST),
    ("qwen3-tied", FAST),
];

#[test]
fn an_8_bit_cache_is_close() {
    for (path, tolerance) in CACHED {
        check_close([&path], KvType::Q8, tolerance);
    }
}

/// Chunks round differently, and a key or value on the edge between two steps then goes to the other.
#[test]
fn chunked_prefill_into_an_8_bit_cache_is_close_to_one_shot() {
    for (path, _) in CACHED {
        let expected = expected(path);
        let model = load(path, "", KvType::Q8, 640);
        let (_, ids) = expected.prompts().pop().unwrap();
        let case = EvalCase { ids, logits: WantedLogits::All, ..EvalCase::default() };
        let whole = block_on(model.eval(&case)).unwrap().logits;
        for chunk in [7, 33, 128] {
            let case = EvalCase { chunk: Some(chunk), ..case.clone() };
            let parts = block_on(model.eval(&case)).unwrap().logits;
            let squares = |x: &mut dyn Iterator<Item = f32>| x.map(|x| f64::from(x).powi(2)).sum::<f64>();
            let apart = squares(&mut whole.iter().zip(&parts).map(|(a, b)| a - b));
            let rms = (apart / squares(&mut whole.iter().copied())).sqrt();
            println!("{path}, {} tokens in chunks of {chunk}: rms {rms:e} of the logits", case.ids.len());
            assert!(rms <= FAST / 4.0, "{path}, chunks of {chunk}: differs by {rms:e} of the logits");
        }
    }
}

fn check_close<'a>(paths: impl IntoIterator<Item = &'a &'static str>, kv: KvType, tolerance: f64) {
    for path in paths {
        let expected = expected(path);
        for mask in ["", "no-software"] {
            let model = load(path, mask, kv, PREFILL_CHUNK);
            let n_vocab = model.info().vocab_size;
            for (name, ids) in expected.prompts() {
                let case = EvalCase { ids, logits: WantedLogits::All, ..EvalCase::default() };
                let reply = block_on(model.eval(&case)).unwrap();
                let (_, rms) = expected.compare_logits(&name, &reply.logits, n_vocab);
                println!("{path} {name} [{mask}] {kv:?}: rms/std {rms:e}");
                assert!(rms <= tolerance, "{path} {name} [{mask}]: rms/std {rms:e}");
            }
            if expected.json.get("perplexity").is_some() {
                let case = EvalCase { ids: expected.ids("/perplexity/ids"), ..EvalCase::default() };
                let perplexity = block_on(model.eval(&case)).unwrap().perplexity.unwrap();
                let wanted = &expected.json["perplexity"]["value"];
                println!("{path} [{mask}] {kv:?}: perplexity {perplexity}, exactly {wanted}");
                assert!(
                    expected.is_perplexity(perplexity, tolerance / 4.0),
                    "{path} [{mask}]: perplexity {perplexity}"
                );
            }
        }
    }
}
