//! Numbers of the reference implementation, through the public API, on every capability mask.
//!
//! `tests/golden/` holds tiny random checkpoints in the official layouts with logits, greedy continuations and
//! perplexities of transformers in float32 (`tests/golden/scripts/` made them).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use pollster::block_on;
use qwill::{Control, EvalCase, KvType, LoadOptions, Model, ModelFiles, WantedLogits};
use safetensors::SafeTensors;
use serde_json::Value;

/// Largest logit difference on the exact path.
const EXACT: f32 = 2e-4;
/// What an f16 cache may cost, and most often an 8-bit one: rms of the difference over the deviation of the logits.
const FAST: f64 = 0.02;

/// What it may be where weights are quantised.
const EXACT_QUANTISED: f32 = 5e-4;
/// A token whose last chosen expert beats the first rejected one by less may go to either.
const ROUTER_GAP: f64 = 1e-4;

/// Checkpoints of floats, in `tests/golden/`.
const FLOATS: [&str; 19] = [
    "qwen1-plain",
    "qwen1-ntk",
    "qwen1-ntk-logn",
    "qwen2-tied",
    "qwen2-untied",
    "qwen2-headdim",
    "qwen2-swa",
    "qwen2-yarn",
    "qwen2-linear",
    "qwen2-dynamic",
    "qwen2-dca",
    "qwen2-dca-odd",
    "qwen2moe-a27",
    "qwen2moe-mix",
    "qwen2moe-dead",
    "qwen3-tied",
    "qwen3-f32",
    "qwen3moe-128",
    "qwen3moe-swa",
];

/// Quantised ones.
const QUANTISED: [&str; 29] = [
    "q-qwen2-awq",
    "q-qwen2-gptq4-act",
    "q-qwen2-gptq4-col",
    "q-qwen2-gptq4-g128",
    "q-qwen2-gptq8",
    "q-qwen2moe-gptq4",
    "q-qwen2moe-gptq8-v2",
    "q-qwen3-fp8",
    "q-qwen3-fp8-tensor",
    "q-qwen3moe-awq",
    "q-qwen3moe-fp8",
    "g-qwen2/g-qwen2-F16.gguf",
    "g-qwen2/g-qwen2-Q8_0.gguf",
    "g-qwen2/g-qwen2-Q5_1.gguf",
    "g-qwen2/g-qwen2-Q5_0.gguf",
    "g-qwen2/g-qwen2-Q4_1.gguf",
    "g-qwen2/g-qwen2-Q4_0.gguf",
    "g-qwen2/g-qwen2-IQ4_NL.gguf",
    "g-qwen3-k/g-qwen3-k-Q6_K.gguf",
    "g-qwen3-k/g-qwen3-k-Q5_K_M.gguf",
    "g-qwen3-k/g-qwen3-k-Q4_K_M.gguf",
    "g-qwen3-k/g-qwen3-k-Q3_K_S.gguf",
    "g-qwen3-k/g-qwen3-k-Q2_K.gguf",
    "g-qwen3-k/g-qwen3-k-IQ4_XS.gguf",
    "g-qwen2moe/g-qwen2moe-Q8_0.gguf",
    "g-qwen2moe/g-qwen2moe-Q4_0.gguf",
    "g-qwen3moe-k/g-qwen3moe-k-Q6_K.gguf",
    "g-qwen3moe-k/g-qwen3moe-k-Q4_K_M.gguf",
    "g-qwen3moe-k/g-qwen3moe-k-Q2_K.gguf",
];

/// Expected results of a checkpoint, without extension.
fn stem(path: &str) -> String {
    match path.strip_suffix(".gguf") {
        Some(file) => format!("{file}.expected"),
        None => format!("{path}/expected"),
    }
}

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden")
}

struct Expected {
    json: Value,
    tensors: Vec<u8>,
}

impl Expected {
    fn read(stem: &str) -> Self {
        let read = |extension: &str| std::fs::read(golden().join(format!("{stem}.{extension}"))).unwrap();
        Self { json: serde_json::from_slice(&read("json")).unwrap(), tensors: read("safetensors") }
    }

    fn ids(&self, pointer: &str) -> Vec<u32> {
        let ids = self.json.pointer(pointer).unwrap_or_else(|| panic!("no {pointer}"));
        serde_json::from_value(ids.clone()).unwrap()
    }

    /// Prompts by name, in order of length.
    fn prompts(&self) -> Vec<(String, Vec<u32>)> {
        let names: BTreeMap<String, Value> = serde_json::from_value(self.json["prompts"].clone()).unwrap();
        let mut prompts: Vec<_> =
            names.keys().map(|n| (n.clone(), self.ids(&format!("/prompts/{n}")))).collect();
        prompts.sort_by_key(|(_, ids)| ids.len());
        prompts
    }

    fn tensor(&self, name: &str) -> Option<Vec<f32>> {
        let tensors = SafeTensors::deserialize(&self.tensors).unwrap();
        let tensor = tensors.tensor(name).ok()?;
        Some(tensor.data().chunks(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect())
    }

    /// Largest difference, and rms of the difference over the deviation of what was expected, on every row that the
    /// files hold for a prompt.
    fn compare(&self, prompt: &str, logits: &[f32], n_vocab: usize) -> (f32, f64) {
        let rows = logits.len() / n_vocab;
        let mut pairs: Vec<(usize, Vec<f32>)> = Vec::new();
        if let Some(all) = self.tensor(&format!("logits.{prompt}.all")) {
            assert_eq!(all.len(), logits.len());
            pairs.extend(all.chunks(n_vocab).map(<[f32]>::to_vec).enumerate());
        }
        if let Some(last) = self.tensor(&format!("logits.{prompt}.last")) {
            pairs.push((rows - 1, last));
        }
        if let Some(at) = self.tensor(&format!("logits.{prompt}.at")) {
            let positions = self.ids(&format!("/at_positions/{prompt}"));
            pairs.extend(
                positions.into_iter().map(|p| p as usize).zip(at.chunks(n_vocab).map(<[f32]>::to_vec)),
            );
        }
        assert!(!pairs.is_empty(), "no expected logits for {prompt}");
        if let Some(gaps) = self.json.pointer(&format!("/router_gap/{prompt}")) {
            let gaps: Vec<f64> = serde_json::from_value(gaps.clone()).unwrap();
            pairs.retain(|(row, _)| gaps[*row] >= ROUTER_GAP);
        }
        let (mut worst, mut squares, mut spread) = (0.0f32, 0.0, 0.0);
        for (row, expected) in pairs {
            let mean = expected.iter().map(|&x| f64::from(x)).sum::<f64>() / expected.len() as f64;
            for (a, e) in logits[row * n_vocab..].iter().zip(&expected) {
                assert!(a.is_finite(), "{prompt} row {row}: {a}");
                worst = worst.max((a - e).abs());
                squares += f64::from(a - e).powi(2);
                spread += (f64::from(*e) - mean).powi(2);
            }
        }
        (worst, (squares / spread).sqrt())
    }
}

fn load(path: &str, mask: &str, kv: KvType, chunk: usize) -> Model {
    let options = LoadOptions {
        caps_mask: mask.into(),
        kv_type: Some(kv),
        context_length: Some(704),
        prefill_chunk: Some(chunk),
        ..LoadOptions::default()
    };
    let files = ModelFiles::from_path(golden().join(path)).unwrap();
    block_on(Model::load(files, &options, &mut |_| Control::Continue))
        .unwrap_or_else(|e| panic!("{path}: {e}"))
}

fn check_exact(mask: &str) {
    check_all(&FLOATS, mask, EXACT);
    check_all(&QUANTISED, mask, EXACT_QUANTISED);
}

fn check_all(paths: &[&str], mask: &str, tolerance: f32) {
    let mut worst_of_all = 0.0f32;
    for path in paths {
        let worst = check(path, mask, tolerance);
        println!("{path} [{mask}]: largest logit difference {worst:e}");
        worst_of_all = worst_of_all.max(worst);
    }
    println!("[{mask}] largest logit difference {worst_of_all:e}");
}

/// Compares every prompt of a checkpoint; the largest logit difference.
fn check(path: &str, mask: &str, tolerance: f32) -> f32 {
    let expected = Expected::read(&stem(path));
    let mut model = load(path, mask, KvType::F32, 256);
    let n_vocab = model.info().vocab_size;
    let mut worst_of_all = 0.0f32;
    for (name, ids) in expected.prompts() {
        let greedy = expected.json["greedy"].get(&name).map(|_| expected.ids(&format!("/greedy/{name}/ids")));
        let case = EvalCase {
            name: name.clone(),
            ids,
            greedy: greedy.as_ref().map_or(0, Vec::len),
            logits: WantedLogits::All,
            ..EvalCase::default()
        };
        let reply = block_on(model.eval(&case)).unwrap();
        let (worst, _) = expected.compare(&name, &reply.logits, n_vocab);
        assert!(worst <= tolerance, "{path} {name} [{mask}]: logits differ by {worst:e}");
        worst_of_all = worst_of_all.max(worst);
        assert_eq!(reply.greedy, greedy.unwrap_or_default(), "{path} {name} [{mask}]");
    }
    if expected.json.get("perplexity").is_some() {
        let case = EvalCase { ids: expected.ids("/perplexity/ids"), ..EvalCase::default() };
        let perplexity = block_on(model.eval(&case)).unwrap().perplexity.unwrap();
        let wanted = expected.json["perplexity"]["value"].as_f64().unwrap();
        assert!(
            (perplexity / wanted - 1.0).abs() < 1e-4,
            "{path} [{mask}]: perplexity {perplexity}, not {wanted}"
        );
    }
    worst_of_all
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

#[test]
fn exact_with_the_smallest_bindings_of_webgpu() {
    check_exact("max-binding=128MiB");
}

#[test]
fn exact_with_bindings_of_one_mebibyte() {
    check_exact("max-binding=1MiB");
}

/// So small that every embedding and most projections lie in several shards.
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
        let expected = Expected::read(&stem(path));
        let mut model = load(path, "", KvType::F32, 640);
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
        let expected = Expected::read(&stem(path));
        let mut model = load(path, "", KvType::Q8, 640);
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
        let expected = Expected::read(&stem(path));
        for mask in ["", "no-software"] {
            let mut model = load(path, mask, kv, 256);
            let n_vocab = model.info().vocab_size;
            for (name, ids) in expected.prompts() {
                let case = EvalCase { ids, logits: WantedLogits::All, ..EvalCase::default() };
                let reply = block_on(model.eval(&case)).unwrap();
                let (_, rms) = expected.compare(&name, &reply.logits, n_vocab);
                println!("{path} {name} [{mask}] {kv:?}: rms/std {rms:e}");
                assert!(rms <= tolerance, "{path} {name} [{mask}]: rms/std {rms:e}");
            }
            if expected.json.get("perplexity").is_some() {
                let case = EvalCase { ids: expected.ids("/perplexity/ids"), ..EvalCase::default() };
                let perplexity = block_on(model.eval(&case)).unwrap().perplexity.unwrap();
                let wanted = expected.json["perplexity"]["value"].as_f64().unwrap();
                println!("{path} [{mask}] {kv:?}: perplexity {perplexity}, exactly {wanted}");
                assert!(
                    (perplexity / wanted - 1.0).abs() < tolerance / 4.0,
                    "{path} [{mask}]: perplexity {perplexity}"
                );
            }
        }
    }
}
