//! Whatever is wrong is said in a message that names it; nothing panics.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use pollster::block_on;
use qwill::weights::{ByteSource, MemorySource};
use qwill::{
    ChatRequest, Control, Error, EvalCase, FinishReason, LoadOptions, Model, ModelFiles, SamplingOptions,
};
use serde_json::{Value, json};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden").join(name)
}

fn load_files(files: ModelFiles, options: &LoadOptions) -> Result<Model, Error> {
    block_on(Model::load(files, options, &mut |_| Control::Continue))
}

/// A directory's files in memory, after `change` has had its way with them.
fn changed(directory: &str, change: impl Fn(&str, Vec<u8>) -> Option<Vec<u8>>) -> ModelFiles {
    let mut files: Vec<Arc<dyn ByteSource>> = Vec::new();
    for entry in std::fs::read_dir(golden(directory)).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if let Some(bytes) = change(&name, std::fs::read(&path).unwrap())
            && !name.starts_with("expected")
        {
            files.push(Arc::new(MemorySource::new(name, bytes)));
        }
    }
    ModelFiles::from_sources(directory, files)
}

fn with_config(directory: &str, key: &'static str, value: Value) -> ModelFiles {
    changed(directory, move |name, bytes| {
        if name != "config.json" {
            return Some(bytes);
        }
        let mut config: Value = serde_json::from_slice(&bytes).unwrap();
        config[key] = value.clone();
        Some(serde_json::to_vec(&config).unwrap())
    })
}

/// Loading fails with this code and a message that has all these words.
#[track_caller]
fn refused(files: ModelFiles, code: &str, words: &[&str]) {
    refused_with(files, &LoadOptions::default(), code, words);
}

#[track_caller]
fn refused_with(files: ModelFiles, options: &LoadOptions, code: &str, words: &[&str]) {
    let error = load_files(files, options).expect_err("this must not load");
    let message = error.to_string();
    assert_eq!(error.code(), code, "{message}");
    for word in words {
        assert!(message.contains(word), "\"{word}\" is not in: {message}");
    }
}

#[test]
fn paths_that_are_no_model() {
    let error = ModelFiles::from_path("/no/such/model.gguf").unwrap_err();
    assert_eq!(error.code(), "file-not-found");
    assert!(error.to_string().contains("/no/such/model.gguf"), "{error}");
    let files = ModelFiles::from_path(golden("scripts")).unwrap();
    refused(files, "file-not-found", &["config.json", ".gguf"]);
    let no_weights = changed("qwen3-f32", |name, bytes| (!name.ends_with(".safetensors")).then_some(bytes));
    refused(no_weights, "file-not-found", &[".safetensors", "config.json"]);
}

#[test]
fn truncated_files() {
    let half = |name: &str, bytes: Vec<u8>| {
        let end = if name.ends_with(".safetensors") { bytes.len() / 2 } else { bytes.len() };
        Some(bytes[..end].to_vec())
    };
    refused(changed("qwen3-f32", half), "invalid-file", &["model.safetensors"]);
    let gguf = std::fs::read(golden("g-qwen2/g-qwen2-Q4_0.gguf")).unwrap();
    for end in [0, 3, 20, 1000, gguf.len() - 1] {
        let source = MemorySource::new("short.gguf", gguf[..end].to_vec());
        refused(ModelFiles::from_sources("short", vec![Arc::new(source)]), "invalid-file", &["short.gguf"]);
    }
}

#[test]
fn headers_that_lie() {
    let mut gguf = std::fs::read(golden("g-qwen2/g-qwen2-Q4_0.gguf")).unwrap();
    // number of tensors
    gguf[8..16].copy_from_slice(&u64::MAX.to_le_bytes());
    refused(
        ModelFiles::from_sources("liar", vec![Arc::new(MemorySource::new("liar.gguf", gguf))]),
        "invalid-file",
        &["liar.gguf"],
    );
    let liar = changed("qwen3-f32", |name, mut bytes| {
        if name.ends_with(".safetensors") {
            bytes[..8].copy_from_slice(&u64::MAX.to_le_bytes());
        }
        Some(bytes)
    });
    refused(liar, "invalid-file", &["model.safetensors"]);
}

#[test]
fn configurations_that_do_not_match_the_tensors() {
    refused(
        with_config("qwen3-f32", "num_hidden_layers", json!(3)),
        "invalid-file",
        &["model.layers.2.input_layernorm.weight", "qwen3"],
    );
    refused(
        with_config("qwen3-f32", "intermediate_size", json!(100)),
        "invalid-file",
        &["[192, 64]", "[100, 64]"],
    );
    refused(
        with_config("qwen3-f32", "hidden_size", json!(-1)),
        "invalid-file",
        &["hidden_size", "-1", "config.json"],
    );
    refused(with_config("qwen3-f32", "rms_norm_eps", Value::Null), "invalid-file", &["rms_norm_eps"]);
    refused(
        with_config("qwen3-f32", "num_key_value_heads", json!(3)),
        "invalid-file",
        &["num_key_value_heads", "3"],
    );
    refused(
        with_config("qwen3-f32", "rope_scaling", json!({"rope_type": "llama3"})),
        "invalid-file",
        &["rope_scaling", "llama3"],
    );
}

#[test]
fn unknown_architectures() {
    let other = with_config("qwen3-f32", "architectures", json!(["LlamaForCausalLM"]));
    refused(other, "unknown-architecture", &["LlamaForCausalLM", "qwen2", "qwen3"]);
}

#[test]
fn tokenizers_that_do_not_fit() {
    let foreign = changed("qwen3-f32", |name, bytes| {
        if name != "tokenizer.json" {
            return Some(bytes);
        }
        let mut tokenizer: Value = serde_json::from_slice(&bytes).unwrap();
        tokenizer["added_tokens"].as_array_mut().unwrap().push(json!({
            "id": 5000, "content": "<|far|>", "single_word": false, "lstrip": false, "rstrip": false,
            "normalized": false, "special": true
        }));
        Some(serde_json::to_vec(&tokenizer).unwrap())
    });
    refused(foreign, "invalid-tokenizer", &["5001", "448"]);
    let without = changed("qwen3-f32", |name, bytes| {
        (!["tokenizer.json", "vocab.json", "merges.txt"].contains(&name)).then_some(bytes)
    });
    let model = load_files(without, &LoadOptions::default()).unwrap();
    let error = block_on(model.chat_with(&ChatRequest::user("hi"), &mut |_| Control::Continue)).unwrap_err();
    assert_eq!(error.code(), "invalid-tokenizer");
    assert!(error.to_string().contains("tokenizer.json"), "{error}");
}

#[test]
fn too_little_memory_and_no_device() {
    let files = || ModelFiles::from_path(golden("qwen3-f32")).unwrap();
    let options = LoadOptions { caps_mask: "max-memory=1MiB".into(), ..LoadOptions::default() };
    refused_with(files(), &options, "out-of-memory", &["1.0 MB", "weights", "cache"]);
    let options = LoadOptions { gpu: Some("Voodoo 2".into()), ..LoadOptions::default() };
    refused_with(files(), &options, "no-gpu", &["Voodoo 2", "driver"]);
    let options = LoadOptions { caps_mask: "no-gpu".into(), ..LoadOptions::default() };
    refused_with(files(), &options, "invalid-request", &["no-gpu", "no-subgroups"]);
    let options = LoadOptions { context_length: Some(1 << 30), ..LoadOptions::default() };
    refused_with(files(), &options, "invalid-request", &["1073741824", "context"]);
}

#[test]
fn requests_that_make_no_sense() {
    let options = LoadOptions { context_length: Some(64), ..LoadOptions::default() };
    let model = load_files(ModelFiles::from_path(golden("qwen3-tied")).unwrap(), &options).unwrap();
    let refused = |request: ChatRequest, code: &str, word: &str| {
        let error = block_on(model.chat_with(&request, &mut |_| Control::Continue)).unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        assert!(error.to_string().contains(word), "\"{word}\" is not in: {error}");
    };
    refused(ChatRequest::default(), "invalid-request", "messages");
    refused(ChatRequest::user(&"long ".repeat(200)), "prompt-too-long", "64");
    let hot = SamplingOptions { temperature: Some(f32::NAN), ..SamplingOptions::default() };
    refused(ChatRequest { sampling: hot, ..ChatRequest::user("hi") }, "invalid-request", "temperature");
    let wide = SamplingOptions { top_p: Some(1.5), ..SamplingOptions::default() };
    refused(ChatRequest { sampling: wide, ..ChatRequest::user("hi") }, "invalid-request", "top_p is 1.5");
    let case = EvalCase { name: "far".into(), ids: vec![1, 448], ..EvalCase::default() };
    let error = block_on(model.eval(&case)).unwrap_err();
    assert!(error.to_string().contains("448") && error.to_string().contains("far"), "{error}");
    // and after all that it still answers
    let request = ChatRequest { max_tokens: Some(3), ..ChatRequest::user("hi") };
    let reply = block_on(model.chat_with(&request, &mut |_| Control::Continue)).unwrap();
    assert_eq!((reply.ids.len(), reply.finish_reason), (3, FinishReason::Length));
}

#[test]
fn loading_can_be_stopped() {
    let files = ModelFiles::from_path(golden("qwen3-tied")).unwrap();
    let error = block_on(Model::load(files, &LoadOptions::default(), &mut |_| Control::Stop)).unwrap_err();
    assert_eq!(error.code(), "aborted");
}

#[test]
fn a_device_lost_in_the_middle() {
    let files = ModelFiles::from_path(golden("qwen3-tied")).unwrap();
    let model = load_files(files, &LoadOptions::default()).unwrap();
    let requests = ["hi", "Tell me a story."].map(|text| ChatRequest {
        max_tokens: Some(40),
        sampling: SamplingOptions::greedy(),
        ..ChatRequest::user(text)
    });
    let whole = requests.each_ref().map(|request| block_on(model.chat(request).unwrap().reply()).unwrap());
    block_on(model.reset()).unwrap();
    let mut streams = requests.each_ref().map(|request| model.chat(request).unwrap());
    // both are being answered
    for stream in &mut streams {
        block_on(stream.next()).unwrap().unwrap();
    }
    block_on(model.destroy_device()).unwrap();
    for (stream, whole) in streams.into_iter().zip(whole) {
        assert_eq!(block_on(stream.reply()).unwrap().ids, whole.ids);
    }
}
