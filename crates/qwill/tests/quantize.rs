//! Weights in another format: converted while they are loaded, or written as a GGUF file first. Both must be the same
//! model, bit for bit.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use pollster::block_on;
use qwill::text::Specials;
use qwill::{
    Control, Error, EvalCase, Existing, KvType, LoadOptions, Model, ModelFiles, RandomModel, RandomTokenizer,
    WantedLogits, WeightFormat, quantize,
};
use qwill_weights::{ByteSource, Checkpoint, DType, FileSource, MemorySource, Tensors, gguf};
use serde_json::Value;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden").join(name)
}

fn files(name: &str) -> ModelFiles {
    ModelFiles::from_path(golden(name)).unwrap()
}

/// A file of this process that is removed at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        Self(Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{name}", std::process::id())))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn format(name: &str) -> WeightFormat {
    name.parse().unwrap()
}

fn convert(files: ModelFiles, to: &str, path: &Path) -> Result<(), Error> {
    block_on(quantize(files, format(to), path, Existing::Keep, &mut |_| Control::Continue))
}

fn load(files: ModelFiles, quantize: Option<&str>) -> Model {
    load_masked(files, quantize, "")
}

fn load_masked(files: ModelFiles, quantize: Option<&str>, mask: &str) -> Model {
    let options = LoadOptions {
        kv_type: Some(KvType::F32),
        context_length: Some(192),
        quantize: quantize.map(format),
        caps_mask: mask.into(),
        ..LoadOptions::default()
    };
    block_on(Model::load(files, &options, &mut |_| Control::Continue)).unwrap()
}

/// All logits of 33 tokens, and what greedily follows them.
fn prompt(name: &str) -> EvalCase {
    let expected = std::fs::read(golden(name).join("expected.json")).unwrap();
    let expected: Value = serde_json::from_slice(&expected).unwrap();
    let ids = serde_json::from_value(expected["prompts"]["L33"].clone()).unwrap();
    EvalCase { ids, greedy: 12, logits: WantedLogits::All, ..EvalCase::default() }
}

/// The rms of the difference over the deviation of the logits.
fn apart(a: &[f32], b: &[f32]) -> f64 {
    let mean = b.iter().map(|&b| f64::from(b)).sum::<f64>() / b.len() as f64;
    let squares: f64 = a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2)).sum();
    (squares / b.iter().map(|&b| (f64::from(b) - mean).powi(2)).sum::<f64>()).sqrt()
}

/// Checks that a file and loading give the same model; how far it is from the floats.
fn check(name: &str, floats: &dyn Fn() -> ModelFiles, to: &str, case: &EvalCase, original: &[f32]) -> f64 {
    let file = Scratch::new(&format!("{name}-{to}.gguf"));
    convert(floats(), to, &file.0).unwrap();
    let written = load(ModelFiles::from_path(&file.0).unwrap(), None);
    let loaded = load(floats(), Some(to));
    let (a, b) = (block_on(written.eval(case)).unwrap(), block_on(loaded.eval(case)).unwrap());
    assert_eq!(a.greedy, b.greedy, "{name} {to}");
    let worst = a.logits.iter().zip(&b.logits).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(a.logits == b.logits, "{name} {to}: logits differ by {worst:e}");
    for text in ["Hello wörld\n<|im_end|> 12345", "中文  \u{1F600}"] {
        let ids = |model: &Model| model.tokenize(text, Specials::Parse).unwrap();
        assert_eq!(ids(&written), ids(&loaded), "{name}");
    }
    // GGUF has keys for two of them
    let ends = |model: &Model| model.generation_config().eos_ids.clone();
    assert!(
        ends(&written).contains(&ends(&loaded)[0]),
        "{name}: {:?} became {:?}",
        ends(&loaded),
        ends(&written)
    );
    apart(&a.logits, original)
}

#[test]
fn a_file_is_what_loading_makes_of_the_floats() {
    for name in [
        "qwen1-plain",
        "qwen1-ntk-logn",
        "qwen2-tied",
        "qwen2-untied",
        "qwen2-headdim",
        "qwen2-swa",
        "qwen2-yarn",
        "qwen2-dca",
        "qwen2moe-a27",
        "qwen2moe-mix",
        "qwen3-tied",
        "qwen3-f32",
        "qwen3moe-128",
        "qwen3moe-swa",
    ] {
        let case = prompt(name);
        let original = block_on(load(files(name), None).eval(&case)).unwrap();
        // A token may go to another expert, which is worth several logits. Rows are too short for Q4_K, so that they
        // are Q5_0.
        let factor = if name.contains("moe") { 2.0 } else { 1.0 };
        for (to, bound) in [("f16", 5e-3), ("q8_0", 0.05), ("q4_k", 0.35)] {
            let apart = check(name, &|| files(name), to, &case, &original.logits);
            println!("{name} {to}: {apart:.2e}");
            assert!(apart < factor * bound, "{name} {to}: {apart:e}");
        }
    }
}

/// Rows of 256 elements and more, as the K formats need them.
#[test]
fn super_blocks_are_what_loading_makes_of_the_floats() {
    let name = "g-qwen3-k";
    let case =
        EvalCase { ids: (3..40).collect(), greedy: 8, logits: WantedLogits::All, ..EvalCase::default() };
    let floats = || dequantised(&golden("g-qwen3-k/g-qwen3-k-Q6_K.gguf"));
    let original = block_on(load(floats(), None).eval(&case)).unwrap();
    let mut before = 0.0;
    // From the finest to the coarsest: each loses more than the one before, and less than its bound. The floats were
    // Q6_K, and so lose nearly nothing as such.
    for (to, bound) in
        [("q6_k", 1e-3), ("q8_0", 0.04), ("q5_k", 0.12), ("q4_k", 0.25), ("q3_k", 0.5), ("q2_k", 0.9)]
    {
        let apart = check(name, &floats, to, &case, &original.logits);
        println!("{name} {to}: {apart:.2e}");
        assert!(apart > before && apart < bound, "{to}: {apart:e}, the one before had {before:e}");
        before = apart;
    }
    for to in ["q4_0", "iq4_nl", "iq4_xs", "mxfp4"] {
        let apart = check(name, &floats, to, &case, &original.logits);
        println!("{name} {to}: {apart:.2e}");
        assert!(apart < 0.6, "{to}: {apart:e}");
    }
}

/// A GGUF file with every tensor as f32.
fn dequantised(path: &Path) -> ModelFiles {
    let source: Arc<dyn ByteSource> = Arc::new(FileSource::open(path).unwrap());
    let file = block_on(Checkpoint::open_gguf(vec![source])).unwrap();
    let mut writer = gguf::Writer::new();
    for (key, value) in file.metadata().iter() {
        writer.metadata(key, value.clone());
    }
    for tensor in file.tensors() {
        writer.tensor(&tensor.name, &tensor.shape, DType::F32).unwrap();
    }
    let mut body = writer.start(Vec::new()).unwrap();
    let tensors = Tensors::new(&file, None).unwrap();
    for tensor in file.tensors() {
        let reader = block_on(tensors.get(&tensor.name).unwrap().unwrap().open()).unwrap();
        let values = block_on(reader.values(0..tensor.n_rows())).unwrap();
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        body.write(&tensor.name, &bytes).unwrap();
    }
    let source: Arc<dyn ByteSource> = Arc::new(MemorySource::new("floats.gguf", body.finish().unwrap()));
    ModelFiles::from_sources("floats", vec![source])
}

/// Every type of GGUF files, dense and with experts: the logits are those of the file's own values in f32. That those
/// values are what the format means is tested in `qwill-weights`, against gguf-py.
#[test]
fn every_format_computes_with_the_values_that_it_stands_for() {
    let case =
        EvalCase { ids: (3..40).collect(), greedy: 8, logits: WantedLogits::All, ..EvalCase::default() };
    for model in ["g-qwen3-k/g-qwen3-k-Q6_K.gguf", "g-qwen3moe-k/g-qwen3moe-k-Q6_K.gguf"] {
        for to in [
            "f16", "bf16", "q8_0", "q4_0", "q4_1", "q5_0", "q5_1", "q2_k", "q3_k", "q4_k", "q5_k", "q6_k",
            "iq4_nl", "iq4_xs", "mxfp4",
        ] {
            let file = Scratch::new(&format!("every-{to}.gguf"));
            convert(dequantised(&golden(model)), to, &file.0).unwrap();
            let wanted = block_on(load(dequantised(&file.0), None).eval(&case)).unwrap();
            for mask in ["", "no-software", "no-software,no-subgroups", "max-binding=1MiB"] {
                let files = ModelFiles::from_path(&file.0).unwrap();
                let found = block_on(load_masked(files, None, mask).eval(&case)).unwrap();
                let pairs = found.logits.iter().zip(&wanted.logits);
                let worst = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                assert!(worst <= 5e-4, "{model} as {to} [{mask}]: logits differ by {worst:e}");
                assert_eq!(found.greedy, wanted.greedy, "{model} as {to} [{mask}]");
            }
        }
    }
}

/// GGUF has no blocks of GPTQ, AWQ and FP8, so that their values are converted.
#[test]
fn packed_layers_are_converted_by_value() {
    for name in ["q-qwen2-awq", "q-qwen2-gptq4-act", "q-qwen3-fp8", "q-qwen2moe-gptq4"] {
        let file = Scratch::new(&format!("{name}.gguf"));
        convert(files(name), "f32", &file.0).unwrap();
        let original = block_on(load(files(name), None).eval(&prompt(name))).unwrap();
        let written =
            block_on(load(ModelFiles::from_path(&file.0).unwrap(), None).eval(&prompt(name))).unwrap();
        assert_eq!(original.greedy, written.greedy, "{name}");
        let apart = apart(&written.logits, &original.logits);
        assert!(apart < 1e-5, "{name}: {apart:e}");
    }
}

/// llama.cpp takes token 11 for the first of a text where a file does not name it, as that of Qwen1 did not.
#[test]
fn files_name_the_first_token() {
    for name in ["qwen1-plain", "qwen3-tied"] {
        let file = Scratch::new(&format!("first-{name}.gguf"));
        convert(files(name), "q8_0", &file.0).unwrap();
        let source: Arc<dyn ByteSource> = Arc::new(FileSource::open(&file.0).unwrap());
        let written = block_on(Checkpoint::open_gguf(vec![source])).unwrap();
        let first = written.metadata().get_u64("tokenizer.ggml.bos_token_id").unwrap();
        assert_eq!(first, Some(420), "{name}: <|endoftext|>");
    }
}

#[test]
fn what_is_quantised_stays_as_it_is() {
    let name = "g-qwen3-k/g-qwen3-k-Q4_K_M.gguf";
    let file = Scratch::new("again.gguf");
    convert(files(name), "q2_k", &file.0).unwrap();
    let eval = |files, quantize| {
        let case = EvalCase { ids: vec![5, 6, 7, 8], logits: WantedLogits::All, ..EvalCase::default() };
        block_on(load(files, quantize).eval(&case)).unwrap().logits
    };
    let original = eval(files(name), None);
    assert_eq!(original, eval(files(name), Some("q2_k")));
    let written = || ModelFiles::from_path(&file.0).unwrap();
    assert_eq!(original, eval(written(), None));
    let tokenize =
        |files: ModelFiles| block_on(files.tokenizer()).unwrap().encode("Hi <|im_end|>", Specials::Parse);
    assert_eq!(tokenize(files(name)).unwrap(), tokenize(written()).unwrap());
}

#[test]
fn metadata_of_gguf_files_is_kept() {
    let name = "g-qwen2/g-qwen2-F16.gguf";
    let file = Scratch::new("kept.gguf");
    convert(files(name), "q8_0", &file.0).unwrap();
    let open = |path: &Path| {
        let source: Arc<dyn ByteSource> = Arc::new(FileSource::open(path).unwrap());
        block_on(Checkpoint::open_gguf(vec![source])).unwrap()
    };
    let (old, new) = (open(&golden(name)), open(&file.0));
    for (key, value) in old.metadata().iter() {
        let is_ours = ["general.file_type", "general.quantization_version"].contains(&key);
        assert!(is_ours || new.metadata().get(key) == Some(value), "{key}");
    }
    assert_eq!(new.metadata().get_u64("general.file_type").unwrap(), Some(7));
    for tensor in new.tensors() {
        let expected = if tensor.shape.len() == 2 { DType::Q8_0 } else { DType::F32 };
        assert_eq!((tensor.dtype, &tensor.shape), (expected, &old.tensor(&tensor.name).unwrap().shape));
    }
}

#[test]
fn failures_say_what_is_wrong_and_leave_nothing() {
    let there = Scratch::new("there.gguf");
    let partial = there.0.with_extension("gguf.partial");
    std::fs::write(&there.0, b"precious").unwrap();
    let message = convert(files("qwen3-f32"), "q8_0", &there.0).unwrap_err().to_string();
    assert!(message.contains("there.gguf") && message.contains("already there"), "{message}");
    let stop = &mut |_| Control::Stop;
    let stopped = block_on(quantize(files("qwen3-f32"), format("q8_0"), &there.0, Existing::Replace, stop));
    assert!(matches!(stopped, Err(Error::Aborted)));
    assert_eq!(std::fs::read(&there.0).unwrap(), b"precious");
    assert!(!partial.exists());
    let nowhere = Path::new("/no/such/directory/a.gguf");
    let message = convert(files("qwen3-f32"), "q8_0", nowhere).unwrap_err().to_string();
    assert!(
        message.contains("/no/such/directory/a.gguf") && message.contains("no such directory"),
        "{message}"
    );

    // The first weight of the file is infinite: one of the output matrix, which comes first by name.
    let mut bytes = std::fs::read(golden("qwen3-f32/model.safetensors")).unwrap();
    let header: [u8; 8] = bytes[..8].try_into().unwrap();
    let start = 8 + u64::from_le_bytes(header) as usize;
    bytes[start..start + 4].copy_from_slice(&f32::INFINITY.to_le_bytes());
    let config = FileSource::open(golden("qwen3-f32/config.json")).unwrap();
    let sources: Vec<Arc<dyn ByteSource>> =
        vec![Arc::new(MemorySource::new("model.safetensors", bytes)), Arc::new(config)];
    let message =
        convert(ModelFiles::from_sources("broken", sources), "q8_0", &Scratch::new("broken.gguf").0);
    let message = message.unwrap_err().to_string();
    assert!(message.contains("tensor \"") && message.contains("row 0 holds inf, which no"), "{message}");
    block_on(quantize(files("qwen3-f32"), format("q8_0"), &there.0, Existing::Replace, &mut |_| {
        Control::Continue
    }))
    .unwrap();
    assert!(!partial.exists() && std::fs::read(&there.0).unwrap().starts_with(b"GGUF"));
}

/// The file, and the same weights made up while they are loaded.
#[test]
fn random_models_are_the_same_with_and_without_a_file() {
    let random = RandomModel::parse("qwen2.5-0.5b:q3_k").unwrap().with_layers(1).unwrap();
    let file = Scratch::new("random.gguf");
    block_on(random.write(&file.0, Existing::Keep, &mut |_| Control::Continue)).unwrap();
    let case = EvalCase { ids: vec![1, 2, 3], greedy: 3, logits: WantedLogits::Last, ..EvalCase::default() };
    let written = load(ModelFiles::from_path(&file.0).unwrap(), None);
    let written =
        (block_on(written.eval(&case)).unwrap(), written.tokenize("Hi<|im_end|>", Specials::Parse).unwrap());
    let made_up = block_on(load(random.files(RandomTokenizer::None).unwrap(), None).eval(&case)).unwrap();
    assert_eq!((written.0.logits, written.0.greedy), (made_up.logits, made_up.greedy));
    assert_eq!(written.1, [72, 105, 258]);
}
