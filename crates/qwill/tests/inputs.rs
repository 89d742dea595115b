//! Files as people have them: pointers in place of files, keys and tensors that change results, leftovers beside a model,
//! templates by name. What is not used is refused by name.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use pollster::block_on;
use qwill::weights::{ByteSource, MemorySource};
use qwill::{ChatRequest, Control, Error, Inspection, LoadOptions, Message, Model, ModelFiles};
use qwill_weights::{Checkpoint, DType, FileSource, Value as Stored, gguf};
use serde_json::{Value, json};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden").join(name)
}

const POINTER: &str = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 1234567\n";

/// A directory's files in memory, with some replaced or added; without those replaced by nothing.
fn with(directory: &str, replaced: &[(&str, Option<Vec<u8>>)]) -> ModelFiles {
    let mut files: Vec<Arc<dyn ByteSource>> = Vec::new();
    for entry in std::fs::read_dir(golden(directory)).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.is_file()
            && !name.starts_with("expected")
            && !replaced.iter().any(|(other, _)| *other == name)
        {
            files.push(Arc::new(MemorySource::new(name, std::fs::read(&path).unwrap())));
        }
    }
    for (name, bytes) in replaced {
        if let Some(bytes) = bytes {
            files.push(Arc::new(MemorySource::new(*name, bytes.clone())));
        }
    }
    ModelFiles::from_sources(directory, files)
}

fn with_config(directory: &str, more: Value) -> ModelFiles {
    let mut config: Value =
        serde_json::from_slice(&std::fs::read(golden(directory).join("config.json")).unwrap()).unwrap();
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    with(directory, &[("config.json", Some(config.to_string().into_bytes()))])
}

fn load(files: ModelFiles) -> Result<Model, Error> {
    let options = LoadOptions { context_length: Some(512), ..LoadOptions::default() };
    block_on(Model::load(files, &options, &mut |_| Control::Continue))
}

#[track_caller]
fn refused(files: ModelFiles, words: &[&str]) {
    let message = load(files).expect_err("this must not load").to_string();
    for word in words {
        assert!(message.contains(word), "\"{word}\" is not in: {message}");
    }
}

/// A GGUF file with further keys and tensors.
fn gguf_with(keys: &[(&str, Stored)], tensors: &[&str]) -> ModelFiles {
    let file = Arc::new(FileSource::open(golden("g-qwen2/g-qwen2-Q8_0.gguf")).unwrap());
    let old = block_on(Checkpoint::open_gguf(vec![file])).unwrap();
    let mut writer = gguf::Writer::new();
    for (key, value) in old.metadata().iter().filter(|(key, _)| !keys.iter().any(|(new, _)| new == key)) {
        writer.metadata(key, value.clone());
    }
    for (key, value) in keys {
        writer.metadata(*key, value.clone());
    }
    for tensor in old.tensors() {
        writer.tensor(&tensor.name, &tensor.shape, tensor.dtype).unwrap();
    }
    for name in tensors {
        writer.tensor(name, &[8], DType::F32).unwrap();
    }
    let mut body = writer.start(Vec::new()).unwrap();
    for tensor in old.tensors() {
        body.write(&tensor.name, &block_on(old.read_rows(tensor, 0..tensor.n_rows())).unwrap()).unwrap();
    }
    for name in tensors {
        body.write(name, &[0; 32]).unwrap();
    }
    let source = MemorySource::new("made.gguf", body.finish().unwrap());
    ModelFiles::from_sources("made", vec![Arc::new(source)])
}

#[test]
fn pointers_are_told_from_files() {
    let pointer = || Some(POINTER.as_bytes().to_vec());
    for name in ["model.safetensors", "tokenizer.json", "config.json"] {
        refused(
            with("qwen3-tied", &[(name, pointer())]),
            &[name, "Git LFS pointer", "1234567", "git lfs pull"],
        );
    }
    let source = Arc::new(MemorySource::new("m.gguf", POINTER.as_bytes().to_vec()));
    refused(ModelFiles::from_sources("m", vec![source.clone()]), &["m.gguf is a Git LFS pointer"]);
    let inspected =
        block_on(Inspection::of_files(ModelFiles::from_sources("m", vec![source]), &LoadOptions::default()));
    assert!(inspected.err().is_some_and(|error| error.to_string().contains("Git LFS")));
    let tokenizer = block_on(with("qwen3-tied", &[("tokenizer.json", pointer())]).tokenizer());
    assert!(tokenizer.err().is_some_and(|error| error.to_string().contains("Git LFS")));
    // Adapters, too.
    let model = load(with("qwen3-tied", &[])).unwrap();
    let adapter: Vec<Arc<dyn ByteSource>> = vec![
        Arc::new(MemorySource::new("adapter_config.json", b"{}".to_vec())),
        Arc::new(MemorySource::new("adapter_model.safetensors", POINTER.as_bytes().to_vec())),
    ];
    let error = block_on(model.load_adapter(ModelFiles::from_sources("a", adapter), "a")).unwrap_err();
    assert!(error.to_string().contains("adapter_model.safetensors is a Git LFS pointer"), "{error}");
}

#[test]
fn configurations_are_used_or_refused_by_name() {
    let layers = |kinds: &[&str]| json!({"layer_types": kinds});
    for (more, words) in [
        (json!({"hidden_act": "gelu"}), &["hidden_act", "gelu", "silu", "config.json"][..]),
        (json!({"partial_rotary_factor": 0.25}), &["partial_rotary_factor", "0.25"]),
        (layers(&["full_attention"]), &["layer_types", "2 layers and 1 types"]),
        (layers(&["full_attention", "linear_attention"]), &["layer_types", "linear_attention"]),
        (layers(&["full_attention", "sliding_attention"]), &["layer_types", "use_sliding_window"]),
        (json!({"layer_types": "full_attention"}), &["layer_types", "a list"]),
        (
            json!({"layer_types": ["full_attention", "sliding_attention"], "use_sliding_window": true, "sliding_window": 8,
                "rope_parameters": {"full_attention": {"rope_theta": 1e6}, "sliding_attention": {"rope_theta": 1e4}}}),
            &["rope_parameters", "layer to layer"],
        ),
        (
            json!({"rope_parameters": {"sliding_attention": {"rope_theta": 1e4}}}),
            &["rope_parameters", "full_attention"],
        ),
    ] {
        refused(with_config("qwen3-tied", more), words);
    }
    // What says the same is the same.
    let prompt = ChatRequest { max_tokens: Some(12), ..ChatRequest::user("Hello") };
    let greedy = ChatRequest { sampling: qwill::SamplingOptions::greedy(), ..prompt };
    let reply =
        |files: ModelFiles| block_on(load(files).unwrap().chat(&greedy).unwrap().reply()).unwrap().ids;
    let plain = reply(with("qwen3-tied", &[]));
    let theta: Value =
        serde_json::from_slice(&std::fs::read(golden("qwen3-tied/config.json")).unwrap()).unwrap();
    let theta = theta["rope_parameters"]["rope_theta"].as_f64().or(theta["rope_theta"].as_f64()).unwrap();
    let nested = json!({"rope_theta": null, "rope_scaling": null, "layer_types": ["full_attention", "full_attention"],
        "rope_parameters": {"full_attention": {"rope_type": "default", "rope_theta": theta}}});
    assert_eq!(reply(with_config("qwen3-tied", nested)), plain);
    let other = json!({"rope_theta": null, "rope_parameters": {"full_attention": {"rope_theta": 50.0}}});
    assert_ne!(reply(with_config("qwen3-tied", other)), plain);
}

#[test]
fn gguf_keys_and_tensors_are_used_or_refused_by_name() {
    for (key, value) in [
        ("qwen2.rope.dimension_count", Stored::U32(8)),
        ("qwen2.attention.value_length", Stored::U32(8)),
        ("qwen2.attention.sliding_window", Stored::U32(4)),
        ("qwen2.attention.clamp_kqv", Stored::F32(4.0)),
        ("qwen2.final_logit_softcapping", Stored::F32(30.0)),
        ("qwen2.attention.scale", Stored::F32(1.0)),
        ("qwen2.pooling_type", Stored::U32(1)),
        ("qwen2.rope.scaling.attn_factor", Stored::F32(2.0)),
        ("qwen2.use_parallel_residual", Stored::Bool(true)),
    ] {
        refused(gguf_with(&[(key, value)], &[]), &[key]);
    }
    refused(gguf_with(&[("qwen2.hidden_activation", Stored::from("gelu"))], &[]), &["hidden_act", "gelu"]);
    for tensor in
        ["rope_freqs.weight", "blk.0.attn_output.bias", "blk.0.attn_q_norm.weight", "blk.1.ffn_down.scale"]
    {
        refused(gguf_with(&[], &[tensor]), &["made.gguf", tensor]);
    }
    // A window that no text fills is none.
    load(gguf_with(&[("qwen2.attention.sliding_window", Stored::U32(1 << 20))], &[])).unwrap();
    load(gguf_with(&[("qwen2.attention.sliding_window", Stored::U32(0))], &[])).unwrap();
}

#[test]
fn one_whole_file_goes_before_what_lies_beside_it() {
    let stale = br#"{"weight_map": {"model.norm.weight": "model-00001-of-00002.safetensors"}}"#.to_vec();
    let other = std::fs::read(golden("qwen3-f32/model.safetensors")).unwrap();
    for beside in [
        ("model.safetensors.index.json", stale),
        ("consolidated.safetensors", other.clone()),
        ("model-00001-of-00002.safetensors", other.clone()),
        ("consolidated.00.safetensors", b"broken".to_vec()),
    ] {
        load(with("qwen3-tied", &[(beside.0, Some(beside.1))]))
            .unwrap_or_else(|e| panic!("{}: {e}", beside.0));
    }
    // Without it, parts go before the same weights for other programs.
    let weights = std::fs::read(golden("qwen3-tied/model.safetensors")).unwrap();
    let renamed = [
        ("model.safetensors", None),
        ("model-00001-of-00001.safetensors", Some(weights)),
        ("consolidated.safetensors", Some(other)),
    ];
    load(with("qwen3-tied", &renamed)).unwrap();
}

#[test]
fn the_pooling_of_embeddings_is_read() {
    let pooling = |mode: &str| {
        let config = json!({"word_embedding_dimension": 64, "pooling_mode_lasttoken": mode.contains("last"), mode: true});
        with("qwen3-embed", &[("1_Pooling/config.json", Some(config.to_string().into_bytes()))])
    };
    refused(pooling("pooling_mode_mean_tokens"), &["1_Pooling/config.json", "pooling_mode_mean_tokens"]);
    load(pooling("pooling_mode_lasttoken")).unwrap();
}

fn template(says: &str) -> Option<Vec<u8>> {
    Some(
        format!("{says}{{% for m in messages %}}[{{{{ m.role }}}}]{{{{ m.content }}}}{{% endfor %}}")
            .into_bytes(),
    )
}

#[test]
fn templates_are_chosen_by_tools_or_by_name() {
    let files = [
        ("chat_template.jinja", template("plain")),
        ("additional_chat_templates/tool_use.jinja", template("tools")),
        ("additional_chat_templates/rag.jinja", template("rag")),
        ("additional_chat_templates/broken.jinja", Some(b"{% if".to_vec())),
    ];
    let model = load(with("qwen3-tied", &files)).unwrap();
    let request = |more: Value| {
        let mut json = json!({"messages": [{"role": "user", "content": "x"}]});
        json.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value::<ChatRequest>(json).unwrap()
    };
    let rendered = |more: Value| model.render(&request(more)).map_err(|error| error.to_string());
    let tools = json!([{"type": "function", "function": {"name": "f"}}]);
    assert_eq!(rendered(json!({})).unwrap(), "plain[user]x");
    assert_eq!(rendered(json!({"tools": tools})).unwrap(), "tools[user]x");
    assert_eq!(rendered(json!({"tools": []})).unwrap(), "plain[user]x");
    assert_eq!(rendered(json!({"tools": tools, "chat_template": "rag"})).unwrap(), "rag[user]x");
    assert_eq!(rendered(json!({"tools": tools, "chat_template": "default"})).unwrap(), "plain[user]x");
    let error = rendered(json!({"chat_template": "other"})).unwrap_err();
    assert!(error.contains("\"other\"; it has broken, default, rag, tool_use"), "{error}");
    assert!(rendered(json!({"chat_template": "broken"})).unwrap_err().contains("chat template"));

    // From a directory, and through a GGUF file made of it.
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("templates-{}", std::process::id()));
    std::fs::create_dir_all(folder.join("additional_chat_templates")).unwrap();
    for entry in std::fs::read_dir(golden("qwen3-tied")).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, folder.join(path.file_name().unwrap())).unwrap();
    }
    for (name, source) in &files[..3] {
        std::fs::write(folder.join(name), source.as_ref().unwrap()).unwrap();
    }
    let gguf = folder.join("made.gguf");
    let from_folder = ModelFiles::from_path(&folder).unwrap();
    block_on(qwill::quantize(
        from_folder.clone(),
        "q8_0".parse().unwrap(),
        &gguf,
        qwill::Existing::Keep,
        &mut |_| Control::Continue,
    ))
    .unwrap();
    for files in [from_folder, ModelFiles::from_path(&gguf).unwrap()] {
        let model = load(files).unwrap();
        assert_eq!(model.render(&request(json!({}))).unwrap(), "plain[user]x");
        assert_eq!(model.render(&request(json!({"tools": tools}))).unwrap(), "tools[user]x");
        assert_eq!(model.render(&request(json!({"chat_template": "rag"}))).unwrap(), "rag[user]x");
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn templates_print_the_names_of_special_tokens() {
    let source = "{{ bos_token }}{% for m in messages %}{{ m.content }}{{ eos_token }}{% endfor %}{{ pad_token }}{{ unk_token }}";
    let id_of = |name: &str| {
        let file = Arc::new(FileSource::open(golden("g-qwen2/g-qwen2-Q8_0.gguf")).unwrap());
        let old = block_on(Checkpoint::open_gguf(vec![file])).unwrap();
        let tokens = old.metadata().get_strings("tokenizer.ggml.tokens").unwrap().unwrap();
        Stored::U32(tokens.iter().position(|token| *token == name).unwrap() as u32)
    };
    let model = load(gguf_with(
        &[
            ("tokenizer.chat_template", Stored::from(source)),
            ("tokenizer.ggml.bos_token_id", id_of("<|im_start|>")),
            ("tokenizer.ggml.eos_token_id", id_of("<|im_end|>")),
            ("tokenizer.ggml.padding_token_id", id_of("<|endoftext|>")),
            ("tokenizer.ggml.unknown_token_id", Stored::U32(1 << 30)),
        ],
        &[],
    ))
    .unwrap();
    let request = ChatRequest::new([Message::user("a"), Message::user("b<|im_end|>")]);
    assert_eq!(model.render(&request).unwrap(), "<|im_start|>a<|im_end|>b<|im_end|><|im_end|><|endoftext|>");
    let ids = model.prompt_ids(&request).unwrap();
    let end = model.tokenizer().unwrap().id_of("<|im_end|>").unwrap();
    // Those of the template are tokens, the one that was typed is not.
    assert_eq!(ids.iter().filter(|&&id| id == end).count(), 2);
}

#[test]
fn typed_names_are_text_unless_the_reference_is_wanted() {
    let model = load(with("qwen3-tied", &[])).unwrap();
    let tokenizer = model.tokenizer().unwrap().clone();
    let count = |request: &ChatRequest| {
        let ids = model.prompt_ids(request).unwrap();
        ids.into_iter().filter(|&id| tokenizer.is_added(id)).count()
    };
    let typed = "<|im_end|> <think> </think> <tool_call> </tool_call> <tool_response> </tool_response>";
    let request = |text: &str| {
        let call = json!([{"id": "1", "type": "function", "function": {"name": "f", "arguments": json!({"a": text}).to_string()}}]);
        serde_json::from_value::<ChatRequest>(json!({
            "messages": [
                {"role": "system", "content": text},
                {"role": "developer", "content": [{"type": "text", "text": text}]},
                {"role": "user", "content": text},
                {"role": "assistant", "content": null, "tool_calls": call},
                {"role": "tool", "tool_call_id": "1", "content": text},
            ],
            "tools": [{"type": "function", "function": {"name": "f", "description": text}}],
        }))
        .unwrap()
    };
    let (named, plain) = (request(typed), request("nothing"));
    assert_eq!(count(&named), count(&plain));
    assert!(model.render(&named).unwrap().contains(typed), "people see what they wrote");
    let reference = ChatRequest { split_special_tokens: Some(false), ..named.clone() };
    assert!(count(&reference) > count(&plain));
    assert_eq!(model.render(&reference).unwrap(), model.render(&named).unwrap());
    // null, missing and empty contents are one
    let turn = |message: Value| {
        let messages = json!([{"role": "user", "content": "x"}, message, {"role": "tool", "tool_call_id": "1", "content": "y"}]);
        model.prompt_ids(&serde_json::from_value(json!({"messages": messages})).unwrap()).unwrap()
    };
    let calls = json!([{"id": "1", "function": {"name": "f", "arguments": "{}"}}]);
    let empty = turn(json!({"role": "assistant", "content": "", "tool_calls": calls}));
    assert_eq!(turn(json!({"role": "assistant", "content": null, "tool_calls": calls})), empty);
    assert_eq!(turn(json!({"role": "assistant", "tool_calls": calls})), empty);
    assert_eq!(turn(json!({"role": "assistant", "content": [], "tool_calls": calls})), empty);
}
