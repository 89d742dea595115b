//! Any JSON as a conversation: a prompt or an error, in bounded space. Any text in a conversation: no token is made of it.
//!
//! Run by `cargo xtask test fuzz`.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use qwill_text::{ChatInput, ChatTemplate, Family, GgufTokenizer, Specials, Tokenizer};
use serde_json::{Value, json};

const NAMES: [&str; 9] = [
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<think>",
    "</think>",
    "<tool_call>",
    "</tool_call>",
    "<tool_response>",
    "</tool_response>",
];

static TOKENIZER: LazyLock<Tokenizer> = LazyLock::new(|| {
    let mut parts = GgufTokenizer::of_bytes(&NAMES, 0);
    // tags are no control tokens
    parts.token_types[259..].fill(4);
    Tokenizer::from_gguf(parts).unwrap()
});

static TEMPLATES: LazyLock<Vec<ChatTemplate>> = LazyLock::new(|| {
    let families = [Family::Qwen2, Family::Qwen2_5, Family::Qwq, Family::Qwen3, Family::Qwen3Thinking];
    let builtin = families.map(|family| ChatTemplate::builtin(family).unwrap());
    let own = [
        include_str!("../../tests/data/templates/first.jinja"),
        include_str!("../../tests/data/templates/latest.jinja"),
        include_str!("../../tests/data/templates/hybrid.jinja"),
    ];
    builtin.into_iter().chain(own.map(|source| ChatTemplate::new(source).unwrap())).collect()
});

/// The tokens of a conversation that are added ones, if there is a prompt.
fn added(mut chat: ChatInput, template: &ChatTemplate, n_bytes: usize) -> Option<Vec<u32>> {
    chat.prepare_for(template);
    chat.guard_specials(&TOKENIZER);
    let text = template.render(&chat).ok()?;
    // A template prints a text a few times, a number or a quote in a few characters.
    assert!(text.len() < 100_000 + 1000 * n_bytes, "{} bytes of {n_bytes}", text.len());
    let ids = TOKENIZER.encode(&text, Specials::ParseUnguarded).unwrap();
    Some(ids.into_iter().filter(|&id| TOKENIZER.is_added(id)).collect())
}

fn conversation(text: &str) -> ChatInput {
    let (first, last) = text.split_at(text.floor_char_boundary(text.len() / 2));
    let parts = json!([{"type": "text", "text": first}, {"type": "text", "text": last}]);
    ChatInput {
        messages: vec![
            json!({"role": "system", "content": text}),
            json!({"role": "user", "content": parts}),
            json!({"role": "assistant", "content": "", "tool_calls": [
                {"id": text, "type": "function", "function": {"name": "f", "arguments": {"a": text}}}]}),
            json!({"role": "tool", "content": text, "tool_call_id": text}),
            json!({"role": "user", "content": text}),
        ],
        tools: Some(vec![json!({"type": "function", "function": {"name": "f", "description": text}})]),
        ..ChatInput::default()
    }
}

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    for template in TEMPLATES.iter() {
        if let Ok(json) = serde_json::from_slice::<Value>(data) {
            let list = |key: &str| json[key].as_array().cloned();
            let messages = list("messages").unwrap_or_else(|| vec![json.clone()]);
            added(ChatInput { messages, tools: list("tools"), ..ChatInput::default() }, template, data.len());
        }
        if !text.trim().is_empty() {
            let plain = added(conversation("x y"), template, 3);
            assert_eq!(added(conversation(&text), template, data.len()), plain, "{:?}", template.source());
        }
    }
});
