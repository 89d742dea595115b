//! Conversations as clients send them become the prompts that transformers makes of the same in its own shape.
//!
//! `data/make_shapes.py` wrote the expected texts.

use std::fmt::Write as _;

use qwill_text::{ChatInput, ChatTemplate, Family, GenerationPrompt};
use serde_json::{Value, json};

fn read(path: &str) -> String {
    let path = format!("{}/{path}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"))
}

fn list(value: &Value) -> Vec<Value> {
    value.as_array().unwrap().clone()
}

/// Renders what a client sends.
fn rendered(template: &ChatTemplate, mut chat: ChatInput) -> String {
    chat.prepare_for(template);
    template.render(&chat).unwrap_or_else(|error| format!("fails: {error}"))
}

fn user_and(messages: Value) -> ChatInput {
    let mut all = vec![json!({"role": "user", "content": "x"})];
    all.extend(list(&messages));
    ChatInput { messages: all, ..ChatInput::default() }
}

#[test]
fn whatever_clients_send_is_what_they_mean() {
    let golden: Value = serde_json::from_str(&read("tests/data/shapes.json")).unwrap();
    let (mut report, mut compared) = (String::new(), 0);
    for template in golden["templates"].as_array().unwrap() {
        let (name, presets) = (template["name"].as_str().unwrap(), template["builtin"].as_object());
        let folder = match name {
            "first" | "latest" => "tests/data/templates",
            _ if presets.is_some() => "src/template/builtin",
            _ => "../../tests/golden/templates",
        };
        let parsed = ChatTemplate::new(&read(&format!("{folder}/{name}.jinja"))).unwrap();
        for (case, expected) in template["texts"].as_object().unwrap() {
            let sent = &golden["cases"][case];
            let add_generation_prompt = match sent["add_generation_prompt"].as_bool() {
                Some(true) => GenerationPrompt::Add,
                _ => GenerationPrompt::Omit,
            };
            let ours = rendered(
                &parsed,
                ChatInput {
                    messages: list(&sent["sent"]),
                    tools: sent["tools"].as_array().cloned(),
                    add_generation_prompt,
                    extra: presets.cloned().unwrap_or_default(),
                    ..ChatInput::default()
                },
            );
            compared += 1;
            if ours != *expected {
                writeln!(report, "{name} {presets:?} / {case}:\n  python {expected}\n  ours   {ours:?}")
                    .unwrap();
            }
        }
    }
    assert!(compared > 200, "only {compared} renderings");
    assert!(report.is_empty(), "\n{report}");
}

/// Whoever renders without preparing gets the same of the formats that are built in.
#[test]
fn built_in_formats_need_no_preparation_for_nulls_and_developers() {
    let families = [
        Family::Qwen1_5,
        Family::Qwen2,
        Family::Qwen2_5,
        Family::QwqPreview,
        Family::Qwq,
        Family::Qwen3,
        Family::Qwen3Instruct,
        Family::Qwen3Thinking,
    ];
    for family in families {
        let template = ChatTemplate::builtin(family).unwrap();
        let render = |messages: Value| {
            let chat = ChatInput { messages: list(&messages), ..ChatInput::default() };
            template.render(&chat).unwrap()
        };
        let call = json!([{"id": "1", "type": "function", "function": {"name": "f", "arguments": {"a": 1}}}]);
        let with = |content: Value| json!([{"role": "user", "content": "x"}, content, {"role": "tool", "content": "y", "tool_call_id": "1"}]);
        let empty = render(with(json!({"role": "assistant", "content": "", "tool_calls": call})));
        for message in [
            json!({"role": "assistant", "content": null, "tool_calls": call}),
            json!({"role": "assistant", "tool_calls": call}),
        ] {
            assert_eq!(render(with(message)), empty, "{family:?}");
        }
        let said = |first: &str, later: &str| {
            render(json!([{"role": first, "content": "S"}, {"role": "user", "content": "x"},
                {"role": later, "content": "L"}, {"role": "user", "content": "y"}]))
        };
        assert_eq!(said("developer", "developer"), said("system", "system"), "{family:?}");
        assert!(said("developer", "developer").contains("<|im_start|>system\nL<|im_end|>"), "{family:?}");
    }
}

#[test]
fn instructions_are_never_lost() {
    let latest = ChatTemplate::new(&read("tests/data/templates/latest.jinja")).unwrap();
    let developer = |text: &str| json!({"role": "developer", "content": text});
    let chat = user_and(json!([developer("one"), {"role": "system", "content": "two"}, developer("three")]));
    let text = rendered(&latest, chat);
    assert!(text.starts_with("one\n\ntwo\n\nthree["), "{text}");
    // What is not a developer's stays as the template has it, a refusal included.
    let first = ChatTemplate::new(&read("tests/data/templates/first.jinja")).unwrap();
    let late = user_and(json!([{"role": "system", "content": "late"}]));
    assert!(rendered(&first, late).contains("System message must be at the beginning."));
}

#[test]
fn results_stay_where_their_ids_are_printed() {
    let calls = json!([{"id": "1", "function": {"name": "f"}}, {"id": "2", "function": {"name": "g"}}]);
    let messages = json!([{"role": "assistant", "tool_calls": calls},
        {"role": "tool", "tool_call_id": "2", "content": "b"}, {"role": "tool", "tool_call_id": "1", "content": "a"}]);
    let prints = "{% for m in messages if m.role == 'tool' %}{{ m.tool_call_id }}{{ m.content }}{% endfor %}";
    assert_eq!(rendered(&ChatTemplate::new(prints).unwrap(), user_and(messages.clone())), "2b1a");
    let positional = prints.replace("{{ m.tool_call_id }}", "");
    assert_eq!(rendered(&ChatTemplate::new(&positional).unwrap(), user_and(messages)), "ab");
}

#[test]
fn parts_are_joined_for_the_roles_that_need_it() {
    let source = "{% for m in messages %}[{% if m.role == 'user' and m.content is not string %}{% for p in m.content %}{{ p.text }}{% endfor %}{% else %}{{ m.content }}{% endif %}]{% endfor %}";
    let parts = json!([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]);
    let refusal = json!([{"type": "refusal", "refusal": "No."}]);
    let chat = user_and(json!([{"role": "user", "content": parts}, {"role": "assistant", "content": parts},
        {"role": "assistant", "content": refusal}]));
    assert_eq!(rendered(&ChatTemplate::new(source).unwrap(), chat), "[x][ab][a\nb][No.]");
}
