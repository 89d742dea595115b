//! From a request to its prompt, and replies whose thoughts or gaps are cut to measure.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use pollster::block_on;
use qwill::text::{Specials, SpecialsOut};
use qwill::weights::{ByteSource, MemorySource};
use qwill::{
    ChatEvent, ChatReply, ChatRequest, Control, EvalCase, FinishReason, LoadOptions, Model, ModelFiles,
    SamplingOptions,
};
use qwill_text::THINKING_BUDGET_END;
use serde_json::{Value, json};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A golden checkpoint with some of its files replaced, or left out where `None` replaces them.
fn checkpoint(name: &str, replaced: &[(&str, Option<String>)]) -> ModelFiles {
    let mut files: Vec<Arc<dyn ByteSource>> = Vec::new();
    for entry in std::fs::read_dir(root().join("tests/golden").join(name)).unwrap() {
        let path = entry.unwrap().path();
        let file = path.file_name().unwrap().to_str().unwrap().to_owned();
        if !file.starts_with("expected") && !replaced.iter().any(|(name, _)| *name == file) {
            files.push(Arc::new(MemorySource::new(file, std::fs::read(&path).unwrap())));
        }
    }
    for (file, text) in replaced {
        if let Some(text) = text {
            files.push(Arc::new(MemorySource::new(*file, text.clone().into_bytes())));
        }
    }
    ModelFiles::from_sources(name, files)
}

fn load(files: ModelFiles) -> Model {
    let options = LoadOptions { context_length: Some(512), ..LoadOptions::default() };
    block_on(Model::load(files, &options, &mut |_| Control::Continue)).unwrap()
}

fn json_of(path: &str) -> Value {
    serde_json::from_slice(&std::fs::read(root().join(path)).unwrap()).unwrap()
}

/// A tokenizer that also knows a gap's end, and no id that ends a reply, so that lengths are known.
fn endless() -> [(&'static str, Option<String>); 3] {
    let mut tokenizer = json_of("tests/golden/qwen3-tied/tokenizer.json");
    let mut suffix = tokenizer["added_tokens"][0].clone();
    (suffix["id"], suffix["content"]) = (json!(436), json!("<|fim_suffix|>"));
    tokenizer["added_tokens"].as_array_mut().unwrap().push(suffix);
    let mut config = json_of("tests/golden/qwen3-tied/config.json");
    config["eos_token_id"] = json!(447);
    [
        ("tokenizer.json", Some(tokenizer.to_string())),
        ("config.json", Some(config.to_string())),
        ("generation_config.json", Some(json!({"eos_token_id": 447}).to_string())),
    ]
}

/// The same with a template that opens the thoughts itself, and without the name of an end.
fn thinker() -> Model {
    let mut files = endless().to_vec();
    files.push(("tokenizer_config.json", Some(json!({"eos_token": "!"}).to_string())));
    files.push((
        "chat_template.jinja",
        Some("{% for m in messages %}<|im_start|>{{ m.content }}<|im_end|>\n{% endfor %}<|im_start|>assistant\n<think>\n".into()),
    ));
    load(checkpoint("qwen3-tied", &files))
}

fn greedy(messages: Value, max_tokens: usize) -> ChatRequest {
    ChatRequest {
        messages: serde_json::from_value(messages).unwrap(),
        max_tokens: Some(max_tokens),
        sampling: SamplingOptions::greedy(),
        ..ChatRequest::default()
    }
}

fn chat(model: &Model, request: &ChatRequest) -> ChatReply {
    block_on(model.chat_with(request, &mut |_| Control::Continue)).unwrap()
}

#[test]
fn thoughts_end_when_their_budget_is_spent() {
    let model = thinker();
    let request = greedy(json!([{"role": "user", "content": "Hello"}]), 60);
    let free = chat(&model, &request);
    assert_eq!((free.finish_reason, free.ids.len(), free.text.as_str()), (FinishReason::Length, 60, ""));
    assert_eq!(free.usage.reasoning_tokens, 60);
    let tokenizer = model.tokenizer().unwrap().clone();
    let ending = tokenizer.encode(THINKING_BUDGET_END, Specials::Parse).unwrap();
    for budget in [1, 7, 20] {
        let request = ChatRequest { thinking_budget: Some(budget), max_tokens: Some(200), ..request.clone() };
        let (mut reasoning, mut text) = (String::new(), String::new());
        let reply = block_on(model.chat_with(&request, &mut |event| {
            match event {
                ChatEvent::Reasoning { text } => reasoning.push_str(&text),
                ChatEvent::Content { text: part } => text.push_str(&part),
                _ => {}
            }
            Control::Continue
        }))
        .unwrap();
        assert_eq!((&reasoning, &text), (&reply.reasoning, &reply.text));
        let sentence = THINKING_BUDGET_END.trim_start().split_once("\n</think>").unwrap().0;
        assert!(reply.reasoning.ends_with(sentence), "{}", reply.reasoning);
        let thoughts = reply.reasoning.strip_suffix(sentence).unwrap().trim_end();
        assert!(free.reasoning.starts_with(thoughts), "{thoughts:?}\n{}", free.reasoning);
        // Thoughts as they were, the sentence, and an answer that follows from both.
        let end = (1..=budget).find(|&n| reply.ids[n..].starts_with(&ending)).unwrap();
        assert_eq!(reply.ids[..end], free.ids[..end]);
        assert!(!reply.text.is_empty() && reply.ids.len() > end + ending.len());
        assert_eq!((reply.usage.completion_tokens, reply.ids.len()), (200, 200));
        assert_eq!(reply.usage.reasoning_tokens, end + ending.len());
        assert_eq!(reply.finish_reason, FinishReason::Length);
        let prompt = tokenizer.encode(&model.render(&request).unwrap(), Specials::Parse).unwrap();
        let answer = &reply.ids[end + ending.len()..];
        let ids = [&prompt, &reply.ids[..end + ending.len()]].concat();
        let case = EvalCase { ids, greedy: 5, ..EvalCase::default() };
        assert_eq!(block_on(model.eval(&case)).unwrap().greedy, answer[..5]);
    }
    // A budget that is never reached changes nothing, nor does one that leaves no room for an answer.
    let wide = ChatRequest { thinking_budget: Some(61), ..request.clone() };
    assert_eq!(chat(&model, &wide).ids, free.ids);
    let narrow = ChatRequest { thinking_budget: Some(60), ..request.clone() };
    let reply = chat(&model, &narrow);
    assert_eq!((reply.finish_reason, reply.text.as_str()), (FinishReason::Length, ""));
    // The caller's stop counts, even at the last token of the budget.
    let mut tokens = 0;
    let stopped = block_on(model.chat_with(
        &ChatRequest { thinking_budget: Some(5), ..request.clone() },
        &mut |event| {
            tokens += usize::from(matches!(event, ChatEvent::Token { .. }));
            if tokens == 5 { Control::Stop } else { Control::Continue }
        },
    ))
    .unwrap();
    assert_eq!((stopped.finish_reason, &stopped.ids[..]), (FinishReason::Aborted, &free.ids[..5]));

    let refused = |request: ChatRequest| {
        let error = block_on(thinker().chat_with(&request, &mut |_| Control::Continue)).unwrap_err();
        (error.code(), error.to_string())
    };
    let (code, message) = refused(ChatRequest { thinking_budget: Some(0), ..request.clone() });
    assert!(code == "invalid-request" && message.contains("at least 1"), "{message}");
    let (code, message) =
        refused(ChatRequest { thinking_budget: Some(5), prompt: Some("x".into()), ..request });
    assert!(code == "invalid-request" && message.contains("needs messages"), "{message}");
}

#[test]
fn a_gap_is_filled_between_prompt_and_suffix() {
    let model = load(checkpoint("qwen3-tied", &endless()));
    let request = ChatRequest {
        prompt: Some("fn add(".into()),
        suffix: Some(") <|fim_middle|>".into()),
        max_tokens: Some(200),
        sampling: SamplingOptions {
            temperature: Some(5.0),
            top_k: Some(0),
            seed: Some(3),
            ..SamplingOptions::default()
        },
        ..ChatRequest::default()
    };
    assert_eq!(
        model.render(&request).unwrap(),
        "<|fim_prefix|>fn add(<|fim_suffix|>) <|fim_middle|><|fim_middle|>"
    );
    let tokenizer = model.tokenizer().unwrap().clone();
    let parts =
        ["fn add(", ") <|fim_middle|>"].map(|part| tokenizer.encode(part, Specials::AsText).unwrap().len());
    let reply = chat(&model, &request);
    assert_eq!(reply.usage.prompt_tokens, 3 + parts.iter().sum::<usize>());
    // Among hot samples some end of a middle comes soon; the same text as a plain prompt does not stop there.
    let ends = [420, 422, 430, 431, 436];
    assert_eq!(reply.finish_reason, FinishReason::Stop);
    assert!(ends.contains(reply.ids.last().unwrap()), "{:?}", reply.ids);
    assert!(reply.ids[..reply.ids.len() - 1].iter().all(|id| !ends.contains(id)));

    let error = |model: &Model, request: &ChatRequest| {
        block_on(model.chat_with(request, &mut |_| Control::Continue)).unwrap_err().to_string()
    };
    let alone = ChatRequest { prompt: None, ..request.clone() };
    assert!(error(&model, &alone).contains("a suffix needs a prompt"));
    let mut without = load(checkpoint("qwen3-tied", &[]));
    let message = error(&mut without, &request);
    assert!(message.contains("<|fim_suffix|>") && message.contains("Qwen2.5-Coder"), "{message}");
}

#[test]
fn checkpoints_without_a_template_get_their_generations_format() {
    for (name, expected) in [
        (
            "qwen2-tied",
            "<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>\n<|im_start|>user\nHi /no_think<|im_end|>\n<|im_start|>assistant\n",
        ),
        (
            "qwen3-tied",
            "<|im_start|>user\nHi /no_think<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n",
        ),
    ] {
        let mut config = json_of(&format!("tests/golden/{name}/tokenizer_config.json"));
        config.as_object_mut().unwrap().remove("chat_template");
        let model = load(checkpoint(name, &[("tokenizer_config.json", Some(config.to_string()))]));
        let request = ChatRequest { enable_thinking: Some(false), ..ChatRequest::user("Hi /no_think") };
        assert_eq!(model.render(&request).unwrap(), expected);
    }
}

#[test]
fn soft_switches_reach_the_model_as_they_were_typed() {
    let model = load(checkpoint("qwen3-tied", &[]));
    for text in ["/no_think", "Why? /think", "/think\n/no_think why", " /no_thinking"] {
        let request = ChatRequest { enable_thinking: Some(true), ..ChatRequest::user(text) };
        let prompt = model.render(&request).unwrap();
        assert!(prompt.contains(&format!("user\n{}<|im_end|>", text.trim())), "{prompt}");
        let ids = model.tokenize(&prompt, Specials::Parse).unwrap();
        assert_eq!(model.tokenizer().unwrap().decode(&ids, SpecialsOut::Keep), prompt);
    }
}

#[test]
fn users_cannot_type_control_tokens() {
    let model = load(checkpoint("qwen3-tied", &endless()));
    let size = |model: &Model, text: &str| {
        let request = ChatRequest { max_tokens: Some(1), ..ChatRequest::user(text) };
        (model.render(&request).unwrap(), chat(model, &request).usage.prompt_tokens)
    };
    let (prompt, n_tokens) = size(&model, "a<|im_end|>b");
    assert!(prompt.contains("user\na<|im_end|>b<|im_end|>"), "{prompt}");
    let (_, n_around) = size(&model, "");
    let typed = model.tokenize("a<|im_end|>b", Specials::AsText).unwrap().len();
    assert_eq!(n_tokens, n_around + typed);
}

#[test]
fn qwen1_repositories_have_a_tokenizer() {
    let ranks = std::fs::read(root().join("crates/text/tests/data/tokenizers/qwen1/qwen.tiktoken")).unwrap();
    let mut empty = 2u64.to_le_bytes().to_vec();
    empty.extend(b"{}");
    let open = |config: Value| {
        let files: [(&str, Vec<u8>); 3] = [
            ("config.json", config.to_string().into_bytes()),
            ("model.safetensors", empty.clone()),
            ("qwen.tiktoken", ranks.clone()),
        ];
        let files =
            files.map(|(name, bytes)| Arc::new(MemorySource::new(name, bytes)) as Arc<dyn ByteSource>);
        block_on(ModelFiles::from_sources("Qwen", files.into()).tokenizer()).unwrap()
    };
    let tokenizer = open(json!({"model_type": "qwen", "vocab_size": 448}));
    assert_eq!((tokenizer.n_tokens(), tokenizer.id_of("<|im_end|>")), (448, Some(422)));
    assert_eq!(open(json!({"model_type": "qwen"})).n_tokens(), 628);
}
