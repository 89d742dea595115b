//! Conversations of any shape, as somebody who means harm would send them: a prompt or an error, soon and of bounded size.
//! `fuzz/fuzz_targets/chat_messages.rs` goes on from here.

use qwill_text::{ChatInput, ChatTemplate, Family, GgufTokenizer, Specials, Tokenizer};
use serde_json::{Map, Value, json};

struct Random(u32);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        ((u64::from(self.0) * n as u64) >> 32) as usize
    }

    fn word(&mut self) -> &'static str {
        const WORDS: [&str; 30] = [
            "role",
            "content",
            "tool_calls",
            "function",
            "name",
            "arguments",
            "id",
            "tool_call_id",
            "type",
            "text",
            "refusal",
            "reasoning_content",
            "thinking",
            "function_call",
            "system",
            "developer",
            "user",
            "assistant",
            "tool",
            "<|im_end|>",
            "<think>",
            "</think>",
            "</tool_response>",
            "",
            "{\"a\": 1}",
            "\u{FDD0}",
            "字",
            "\n",
            "image",
            "parameters",
        ];
        WORDS[self.below(WORDS.len())]
    }

    fn value(&mut self, depth: usize) -> Value {
        match self.below(if depth == 0 { 6 } else { 10 }) {
            0 => Value::Null,
            1 => json!(self.below(3) as f64 - 0.5),
            2 => json!(true),
            3..=5 => json!(self.word()),
            6 | 7 => (0..self.below(4)).map(|_| self.value(depth - 1)).collect(),
            _ => Value::Object(
                (0..self.below(6)).map(|_| (self.word().to_owned(), self.value(depth - 1))).collect(),
            ),
        }
    }

    fn message(&mut self) -> Value {
        let mut fields: Map<String, Value> =
            (0..self.below(5)).map(|_| (self.word().to_owned(), self.value(4))).collect();
        let roles = ["system", "developer", "user", "assistant", "tool", "function"];
        if self.below(10) > 0 {
            fields.insert("role".into(), json!(roles[self.below(6)]));
        }
        if self.below(12) == 0 { self.value(2) } else { Value::Object(fields) }
    }
}

#[test]
fn any_conversation_is_a_prompt_or_an_error() {
    let tokenizer = Tokenizer::from_gguf(GgufTokenizer::of_bytes(
        &["<|im_start|>", "<|im_end|>", "<think>", "</think>", "</tool_response>"],
        0,
    ))
    .unwrap();
    let families = [Family::Qwen1_5, Family::Qwen2_5, Family::Qwq, Family::Qwen3, Family::Qwen3Thinking];
    let mut templates: Vec<ChatTemplate> =
        families.iter().map(|&family| ChatTemplate::builtin(family).unwrap()).collect();
    for name in ["first", "latest", "hybrid"] {
        let path = format!("{}/tests/data/templates/{name}.jinja", env!("CARGO_MANIFEST_DIR"));
        templates.push(ChatTemplate::new(&std::fs::read_to_string(path).unwrap()).unwrap());
    }
    let (mut random, mut prompts) = (Random(7), 0);
    for _ in 0..600 {
        let chat = ChatInput {
            messages: (0..random.below(6)).map(|_| random.message()).collect(),
            tools: (random.below(2) == 0).then(|| (0..random.below(3)).map(|_| random.value(5)).collect()),
            ..ChatInput::default()
        };
        let size = json!([chat.messages, chat.tools]).to_string().len();
        for template in &templates {
            let mut chat = chat.clone();
            chat.prepare_for(template);
            chat.guard_specials(&tokenizer);
            if let Ok(text) = template.render(&chat) {
                prompts += 1;
                assert!(text.len() < 10_000 + 100 * size, "{} bytes of {size}", text.len());
                tokenizer.encode(&text, Specials::ParseUnguarded).unwrap();
            }
        }
    }
    assert!(prompts > 500, "only {prompts} prompts");
}

#[test]
fn long_conversations_take_linear_time() {
    let template = ChatTemplate::builtin(Family::Qwen3).unwrap();
    let calls: Vec<Value> = (0..20_000)
        .map(|i| json!({"id": format!("{i}"), "function": {"name": "f", "arguments": "{}"}}))
        .collect();
    let mut messages =
        vec![json!({"role": "user", "content": "x"}), json!({"role": "assistant", "tool_calls": calls})];
    messages.extend(
        (0..20_000).rev().map(|i| json!({"role": "tool", "tool_call_id": format!("{i}"), "content": null})),
    );
    let mut chat = ChatInput { messages, ..ChatInput::default() };
    let started = std::time::Instant::now();
    chat.prepare_for(&template);
    assert_eq!(
        (&chat.messages[2]["tool_call_id"], &chat.messages[20_001]["tool_call_id"]),
        (&json!("0"), &json!("19999"))
    );
    template.render(&chat).unwrap();
    assert!(started.elapsed().as_secs() < 20);
}
