//! Chats with Qwen1, which has no template and no tags for tools.

use std::path::Path;
use std::sync::Arc;

use pollster::block_on;
use qwill::text::Specials;
use qwill::weights::{ByteSource, MemorySource};
use qwill::{ChatReply, ChatRequest, Control, LoadOptions, Model, ModelFiles, SamplingOptions};
use serde_json::json;

const SYSTEM: &str = "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n";

/// The golden checkpoint with another `generation_config.json`.
fn model(generation_config: &str) -> Model {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/qwen1-plain");
    let mut files: Vec<Arc<dyn ByteSource>> =
        vec![Arc::new(MemorySource::new("generation_config.json", generation_config.as_bytes().to_vec()))];
    for name in ["config.json", "qwen.tiktoken", "tokenizer_config.json", "model.safetensors"] {
        files.push(Arc::new(MemorySource::new(name, std::fs::read(folder.join(name)).unwrap())));
    }
    let options = LoadOptions { context_length: Some(2048), ..LoadOptions::default() };
    block_on(Model::load(ModelFiles::from_sources("Qwen", files), &options, &mut |_| Control::Continue))
        .unwrap()
}

const CHATML: &str = r#"{"chat_format": "chatml", "eos_token_id": 420, "max_window_size": 200}"#;

fn chat(model: &Model, request: &ChatRequest) -> ChatReply {
    block_on(model.chat_with(request, &mut |_| Control::Continue)).unwrap()
}

fn greedy(messages: serde_json::Value) -> ChatRequest {
    ChatRequest {
        messages: serde_json::from_value(messages).unwrap(),
        sampling: SamplingOptions::greedy(),
        max_tokens: Some(8),
        ..ChatRequest::default()
    }
}

#[test]
fn parts_of_a_prompt_are_encoded_one_by_one() {
    let model = model(CHATML);
    assert_eq!(model.generation_config().eos_ids, [420, 422, 421]);
    let request = greedy(json!([{"role": "user", "content": "\nhi <|im_end|>"}]));
    let prompt = model.render(&request).unwrap();
    assert_eq!(
        prompt,
        format!("{SYSTEM}<|im_start|>user\n\nhi <|im_end|><|im_end|>\n<|im_start|>assistant\n")
    );
    let n = |text: &str| model.tokenize(text, Specials::AsText).unwrap().len();
    let turns = [("system", "You are a helpful assistant."), ("user", "\nhi <|im_end|>"), ("assistant", "")];
    // Start, role, line break, text, end; a line break between turns; no end yet for the last.
    let expected: usize = turns.iter().map(|(role, text)| 3 + n(role) + n(text)).sum::<usize>() + 2 - 1;
    let reply = chat(&model, &request);
    assert_eq!(reply.usage.prompt_tokens, expected);
    assert_eq!((reply.text.is_empty(), reply.reasoning.as_str()), (false, ""));
}

#[test]
fn old_turns_leave_the_window() {
    let model = model(CHATML);
    let mut messages = Vec::new();
    for turn in 0..9 {
        messages.push(json!({"role": "user", "content": format!("question {turn}")}));
        messages.push(json!({"role": "assistant", "content": format!("answer {turn}")}));
    }
    messages.push(json!({"role": "user", "content": "last"}));
    let prompt = model.render(&greedy(json!(messages))).unwrap();
    assert!(prompt.starts_with(SYSTEM) && prompt.ends_with("user\nlast<|im_end|>\n<|im_start|>assistant\n"));
    assert!(!prompt.contains("question 0") && prompt.contains("answer 8"));
}

#[test]
fn tools_go_in_and_out_as_prose() {
    let model = model(CHATML);
    let tools = vec![
        json!({"type": "function", "function": {"name": "get_t", "description": "Température.", "parameters": {}}}),
    ];
    let mut request = greedy(json!([{"role": "user", "content": "warm?"}]));
    request.tools = Some(tools);
    let asked = model.render(&request).unwrap();
    assert!(
        asked.contains("get_t: Call this tool to interact with the get_t API.")
            && asked.contains("Température.")
    );
    assert!(asked.ends_with("Question: warm?<|im_end|>\n<|im_start|>assistant\n"));
    let called = json!({"role": "assistant", "content": null, "tool_calls": [
        {"id": "1", "type": "function", "function": {"name": "get_t", "arguments": "{\"c\": \"柏林\"}"}}]});
    let answered = json!({"role": "tool", "tool_call_id": "1", "content": "5"});
    request.messages.extend([called, answered].map(|message| serde_json::from_value(message).unwrap()));
    let answered = model.render(&request).unwrap();
    let calls = "Thought: I should use get_t.\nAction: get_t\nAction Input: {\"c\": \"柏林\"}\nObservation: 5\nThought:";
    assert_eq!(answered, asked + calls);
    // What follows is a thought until the model says otherwise.
    let reply = chat(&model, &request);
    assert_eq!((reply.text.as_str(), reply.reasoning.is_empty()), ("", false));
}

#[test]
fn base_models_refuse_messages() {
    let model = model(r#"{"chat_format": "raw", "eos_token_id": 420}"#);
    assert_eq!(model.generation_config().eos_ids, [420]);
    let request = greedy(json!([{"role": "user", "content": "hi"}]));
    let error = block_on(model.chat_with(&request, &mut |_| Control::Continue)).unwrap_err();
    assert!(error.code() == "invalid-request" && error.to_string().contains("\"raw\""), "{error}");
    let raw = ChatRequest { prompt: Some("Once".into()), messages: vec![], ..request };
    assert_eq!(
        chat(&model, &raw).usage.prompt_tokens,
        model.tokenize("Once", Specials::Parse).unwrap().len()
    );
}
