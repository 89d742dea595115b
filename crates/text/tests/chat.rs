//! The built-in prompt formats, and what a template does with a conversation beyond its text.

use qwill_text::{ChatInput, ChatTemplate, Error, Family, GenerationPrompt, Thinking};
use serde_json::{Value, json};

fn messages(list: Value) -> Vec<Value> {
    list.as_array().unwrap().clone()
}

fn chat(list: Value) -> ChatInput {
    ChatInput { messages: messages(list), ..ChatInput::default() }
}

fn render(family: Family, chat: &ChatInput) -> String {
    ChatTemplate::builtin(family).unwrap().render(chat).unwrap()
}

const TOOLS: &str = "# Tools\n\nYou may call one or more functions to assist with the user query.\n\nYou are provided with function signatures within <tools></tools> XML tags:\n<tools>\n{\"type\": \"function\", \"function\": {\"name\": \"get_t\", \"parameters\": {\"type\": \"object\"}}}\n</tools>\n\nFor each function call, return a json object with function name and arguments within <tool_call></tool_call> XML tags:\n<tool_call>\n{\"name\": <function-name>, \"arguments\": <args-json-object>}\n</tool_call><|im_end|>\n";

fn tools() -> Option<Vec<Value>> {
    Some(vec![json!({"type": "function", "function": {"name": "get_t", "parameters": {"type": "object"}}})])
}

#[test]
fn qwen3_keeps_thoughts_of_the_current_question_only() {
    let mut chat = chat(json!([
        {"role": "system", "content": "S"},
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "<think>\nold\n</think>\n\nHello"},
        {"role": "user", "content": "t?"},
        {"role": "assistant", "content": "", "reasoning_content": "need tool",
         "tool_calls": [{"type": "function", "function": {"name": "get_t", "arguments": {"c": "柏林"}}}]},
        {"role": "tool", "content": "5"},
        {"role": "tool", "content": "6"},
    ]));
    chat.tools = tools();
    chat.thinking = Thinking::Off;
    let expected = format!(
        "<|im_start|>system\nS\n\n{TOOLS}<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\nHello<|im_end|>\n<|im_start|>user\nt?<|im_end|>\n<|im_start|>assistant\n<think>\nneed tool\n</think>\n\n<tool_call>\n{{\"name\": \"get_t\", \"arguments\": {{\"c\": \"柏林\"}}}}\n</tool_call><|im_end|>\n<|im_start|>user\n<tool_response>\n5\n</tool_response>\n<tool_response>\n6\n</tool_response><|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"
    );
    assert_eq!(render(Family::Qwen3, &chat), expected);
}

#[test]
fn qwen3_gives_a_trailing_answer_an_empty_thought() {
    let mut chat = chat(json!([{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]));
    chat.add_generation_prompt = GenerationPrompt::Omit;
    let user = "<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\n";
    assert_eq!(render(Family::Qwen3, &chat), format!("{user}<think>\n\n</think>\n\nb<|im_end|>\n"));
    assert_eq!(render(Family::Qwen3Instruct, &chat), format!("{user}b<|im_end|>\n"));
}

#[test]
fn families_differ_in_system_message_and_prompt() {
    let chat = chat(json!([{"role": "user", "content": "x"}]));
    let user = "<|im_start|>user\nx<|im_end|>\n<|im_start|>assistant\n";
    for (family, system, prompt) in [
        (Family::Qwen1, "You are a helpful assistant.", ""),
        (Family::Qwen1_5, "You are a helpful assistant", ""),
        (Family::Qwen2, "You are a helpful assistant.", ""),
        (Family::Qwen2_5, "You are Qwen, created by Alibaba Cloud. You are a helpful assistant.", ""),
        (Family::Qwen2_5Math, "Please reason step by step, and put your final answer within \\boxed{}.", ""),
        (
            Family::QwqPreview,
            "You are a helpful and harmless assistant. You are Qwen developed by Alibaba. You should think step-by-step.",
            "",
        ),
        (Family::Qwq, "", "<think>\n"),
        (Family::Qwen3, "", ""),
        (Family::Qwen3Instruct, "", ""),
        (Family::Qwen3Thinking, "", "<think>\n"),
    ] {
        let head = if system.is_empty() {
            String::new()
        } else {
            format!("<|im_start|>system\n{system}<|im_end|>\n")
        };
        assert_eq!(render(family, &chat), format!("{head}{user}{prompt}"), "{family:?}");
    }
}

#[test]
fn hermes_tools_stand_in_the_system_turn() {
    let mut chat = chat(json!([
        {"role": "user", "content": "x"},
        {"role": "assistant", "content": null, "tool_calls": [
            {"id": "1", "type": "function", "function": {"name": "f", "arguments": {"a": 1}}},
            {"id": "2", "type": "function", "function": {"name": "g", "arguments": {}}}]},
        {"role": "tool", "content": "5"},
    ]));
    chat.tools = tools();
    let turns = "<|im_start|>user\nx<|im_end|>\n<|im_start|>assistant\n<tool_call>\n{\"name\": \"f\", \"arguments\": {\"a\": 1}}\n</tool_call>\n<tool_call>\n{\"name\": \"g\", \"arguments\": {}}\n</tool_call><|im_end|>\n<|im_start|>user\n<tool_response>\n5\n</tool_response><|im_end|>\n<|im_start|>assistant\n";
    let qwen = "You are Qwen, created by Alibaba Cloud. You are a helpful assistant.";
    assert_eq!(render(Family::Qwen2_5, &chat), format!("<|im_start|>system\n{qwen}\n\n{TOOLS}{turns}"));
    assert_eq!(render(Family::Qwq, &chat), format!("<|im_start|>system\n\n\n{TOOLS}{turns}<think>\n"));
    assert_eq!(render(Family::Qwen3, &chat), format!("<|im_start|>system\n{TOOLS}{turns}"));
}

#[test]
fn the_last_message_can_be_continued() {
    let mut chat = chat(json!([{"role": "user", "content": "b"}, {"role": "assistant", "content": "a b "}]));
    chat.add_generation_prompt = GenerationPrompt::Continue;
    let open = "<|im_start|>user\nb<|im_end|>\n<|im_start|>assistant\na b ";
    assert!(render(Family::Qwen2, &chat).ends_with(open));
    // A template that strips the message leaves it open where its text ends.
    let strips = ChatTemplate::new("{% for m in messages %}[{{ m.content | trim }}]{% endfor %}").unwrap();
    assert_eq!(strips.render(&chat).unwrap(), "[b][a b");
    let drops = ChatTemplate::new("nothing").unwrap();
    assert!(matches!(drops.render(&chat), Err(Error::Conversation(_))));
    chat.messages.clear();
    assert!(matches!(drops.render(&chat), Err(Error::Conversation(_))));
}

#[test]
fn openai_shapes_are_made_to_fit() {
    let input = || {
        chat(json!([
            {"role": "user", "content": [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]},
            {"role": "user", "content": [{"type": "text", "text": "x"}, {"type": "image_url", "image_url": {}}]},
            {"role": "assistant", "content": "", "tool_calls": [
                {"function": {"name": "f", "arguments": "{\"b\":1,\"a\":[2]}"}},
                {"function": {"name": "g", "arguments": "not json"}}]},
        ]))
    };
    let mut prepared = input();
    prepared.prepare_for(&ChatTemplate::builtin(Family::Qwen3).unwrap());
    assert_eq!(prepared.messages[0]["content"], "one\ntwo");
    assert_eq!(prepared.messages[1], input().messages[1]);
    let calls = &prepared.messages[2]["tool_calls"];
    assert_eq!(calls[0]["function"]["arguments"].to_string(), "{\"b\":1,\"a\":[2]}");
    assert_eq!(calls[1]["function"]["arguments"], "not json");

    let reads_parts = ChatTemplate::new(
        "{% for m in messages %}{% if m.content is string %}{{ m.content }}{% else %}{% for p in m.content %}{{ p.text }}{% endfor %}{% endif %}{% endfor %}",
    );
    let mut kept = input();
    kept.prepare_for(&reads_parts.unwrap());
    assert_eq!(kept.messages[0], input().messages[0]);
}

#[test]
fn thoughts_are_read_under_any_name() {
    let template = ChatTemplate::builtin(Family::Qwen3).unwrap();
    let thought = |message: Value| {
        let mut chat = chat(json!([{"role": "user", "content": "a"}, message]));
        chat.prepare_for(&template);
        let text = template.render(&chat).unwrap();
        text.split_once("<think>\n").unwrap().1.split_once("\n</think>").unwrap().0.to_owned()
    };
    for key in ["reasoning_content", "reasoning", "thinking"] {
        assert_eq!(thought(json!({"role": "assistant", "content": "b", key: "why"})), "why");
    }
    let both = json!({"role": "assistant", "content": "b", "reasoning": "old", "reasoning_content": "new"});
    assert_eq!(thought(both), "new");
    assert_eq!(thought(json!({"role": "assistant", "content": "<think>c</think>b", "reasoning": null})), "c");
}

#[test]
fn errors_name_the_line_or_speak_for_the_template() {
    let error = |source: &str| {
        let rendered = ChatTemplate::new(source)
            .and_then(|t| t.render(&chat(json!([{"role": "user", "content": "x"}]))));
        rendered.unwrap_err().to_string()
    };
    assert_eq!(
        error("{{ raise_exception('Only text, please.') }}"),
        "the chat template refuses this conversation: Only text, please."
    );
    let in_macro = "{% macro m() %}\n{{ raise_exception('inside') }}\n{% endmacro %}\n{{ m() }}";
    assert_eq!(error(in_macro), "the chat template refuses this conversation: inside");
    assert_eq!(error("a\n{% if %}"), "chat template, line 2: syntax error: unexpected end of block, in `%}`");
    assert_eq!(
        error("a\nb\n{{ x.y.z }}"),
        "chat template, line 3: undefined value: `x` is undefined, in `x.y`"
    );
    assert!(error("\n{{ messages | nope }}").starts_with("chat template, line 2: unknown filter"));
    assert!(error("{% for m in messages %}").starts_with("chat template, line 1: syntax error"));
    // A template from a download can neither recurse nor grow without end.
    assert!(error("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}").contains("recursion"));
    assert!(error("{{ 'x' * 10000000000 }}").contains("chat template"));
}

#[test]
fn variables_of_the_caller_reach_the_template() {
    let mut chat = chat(json!([]));
    chat.extra.insert("bos_token".into(), json!("<s>"));
    chat.extra.insert("n".into(), json!(2.0));
    let source = "{{ bos_token }}|{{ n }}|{{ tools is none }}|{{ documents is none }}|{{ add_generation_prompt }}|{{ enable_thinking is defined }}|{{ strftime_now('%Y') | int > 2000 }}";
    let template = ChatTemplate::new(source).unwrap();
    assert_eq!(template.render(&chat).unwrap(), "<s>|2.0|True|True|True|False|True");
    chat.thinking = Thinking::On;
    assert_eq!(ChatTemplate::new("{{ enable_thinking }}").unwrap().render(&chat).unwrap(), "True");
    // Line ends of Windows and a last line end are as in Jinja2.
    assert_eq!(
        ChatTemplate::new("a\r\n{% if true %}\r\nb\r\n{% endif %}\r\n").unwrap().render(&chat).unwrap(),
        "a\nb\n"
    );
}
