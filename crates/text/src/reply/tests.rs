use super::*;

/// Reasoning, content and calls of a text pushed in pieces of `size` characters.
fn run(start: ReplyStart, text: &str, size: usize) -> (String, String, Vec<(String, String)>) {
    run_with(ReplyParser::new(start), text, size)
}

fn run_with(mut parser: ReplyParser, text: &str, size: usize) -> (String, String, Vec<(String, String)>) {
    let chars: Vec<char> = text.chars().collect();
    let mut events = Vec::new();
    for piece in chars.chunks(size) {
        events.extend(parser.push(&piece.iter().collect::<String>()));
    }
    events.extend(parser.finish());
    collect(events)
}

/// Reasoning, content and calls. What was told of calls in parts must be what is told of them as a whole.
fn collect(events: Vec<ReplyEvent>) -> (String, String, Vec<(String, String)>) {
    let (mut reasoning, mut content, mut calls) = (String::new(), String::new(), Vec::new());
    let mut parts: Vec<(String, String)> = Vec::new();
    for event in events {
        match event {
            ReplyEvent::Reasoning(text) => reasoning += &text,
            ReplyEvent::Content(text) => content += &text,
            ReplyEvent::ToolCallDelta(delta) => {
                parts.extend(delta.name.map(|name| (name, String::new())));
                assert_eq!(delta.call + 1, parts.len(), "parts of a call follow each other");
                parts[delta.call].1 += &delta.arguments;
            }
            ReplyEvent::ToolCall { name, arguments } => {
                let call = (name, arguments);
                assert_eq!(parts.last(), Some(&call), "the parts of a call are the call");
                assert!(serde_json::from_str::<serde_json::Map<_, _>>(&call.1).is_ok(), "{}", call.1);
                calls.push(call);
            }
        }
    }
    (reasoning, content, calls)
}

/// Checks a reply for every size of pieces.
fn check(start: ReplyStart, text: &str, reasoning: &str, content: &str, calls: &[(&str, &str)]) {
    for size in 1..=text.chars().count().max(1) {
        let (r, c, found) = run(start, text, size);
        let found: Vec<_> = found.iter().map(|(n, a)| (n.as_str(), a.as_str())).collect();
        assert_eq!((r.as_str(), c.as_str(), &found[..]), (reasoning, content, calls), "{text:?} by {size}");
    }
}

use ReplyStart::{Content, Thinking};

#[test]
fn thoughts_end_at_their_tag() {
    check(Content, "<think>\nhm\n\nso\n</think>\n\nYes.\n", "hm\n\nso", "Yes.\n", &[]);
    check(Thinking, "hm\n</think>\n\nYes.", "hm", "Yes.", &[]);
    check(Thinking, "<think>\nhm\n</think>Yes.", "hm", "Yes.", &[]);
    check(Content, "<think>\n\n</think>\n\nYes.", "", "Yes.", &[]);
    check(Thinking, "cut off <", "cut off <", "", &[]);
    check(Content, "\n<think>a</think>b", "a", "b", &[]);
    check(Content, "a <think> tag", "", "a <think> tag", &[]);
    check(Content, "a </think> b", "", "a </think> b", &[]);
    check(Thinking, "思考</think>答え", "思考", "答え", &[]);
}

#[test]
fn plain_text_stays_as_it_is() {
    check(Content, "", "", "", &[]);
    check(Content, "  a < b <tool_cal> \n\n c  \n", "", "  a < b <tool_cal> \n\n c  \n", &[]);
    check(Content, "<", "", "<", &[]);
    check(Content, "\n\nHello", "", "\n\nHello", &[]);
    check(Content, "\n ", "", "\n ", &[]);
}

#[test]
fn json_calls_are_found() {
    let text = "<think>\nx\n</think>\n\nLook:\n<tool_call>\n{\"name\": \"f\", \"arguments\": {\"a\": 1.0, \"b\": \"柏\"}}\n</tool_call>\n<tool_call>\n{\"name\": \"g\", \"arguments\": {}}\n</tool_call>\n";
    check(Content, text, "x", "Look:", &[("f", "{\"a\": 1.0, \"b\": \"柏\"}"), ("g", "{}")]);
    check(Content, "<tool_call>{\"name\":\"f\"}</tool_call>", "", "", &[("f", "{}")]);
    check(
        Content,
        "<tool_call>{\"arguments\":\"{\\\"a\\\":1}\",\"name\":\"f\"}</tool_call> done",
        "",
        " done",
        &[("f", "{\"a\":1}")],
    );
}

#[test]
fn a_closing_tag_inside_an_argument_is_text() {
    let text =
        "<tool_call>\n{\"name\": \"write\", \"arguments\": {\"s\": \"a</tool_call>b\\\"\"}}\n</tool_call>";
    check(Content, text, "", "", &[("write", "{\"s\": \"a</tool_call>b\\\"\"}")]);
}

#[test]
fn a_missing_closing_tag_is_forgiven() {
    check(Content, "<tool_call>\n{\"name\": \"f\", \"arguments\": {}}", "", "", &[("f", "{}")]);
    check(Content, "<tool_call>\n<function=f>\n</function>", "", "", &[("f", "{}")]);
}

#[test]
fn malformed_calls_are_content() {
    for text in [
        "<tool_call>\n{\"name\": \"f\", \"arguments\": {}\n",
        "<tool_call>{\"arguments\": {}}</tool_call>",
        "<tool_call>{\"name\": \"f\", \"arguments\": [1]}</tool_call>",
        "<tool_call></tool_call>",
        "<tool_call>\n<function=>\n</function>\n</tool_call>",
        "<tool_call>\n<function=f>\nwhat\n</function>\n</tool_call>",
        "<tool_call>{\"name\": \"f\", \"argum",
    ] {
        check(Content, text, "", text, &[]);
    }
    let mixed = "A <tool_call>nothing</tool_call> B <tool_call>{\"name\":\"f\"}</tool_call>";
    check(Content, mixed, "", "A <tool_call>nothing</tool_call> B", &[("f", "{}")]);
}

#[test]
fn xml_calls_are_found() {
    let text = "Sure.\n\n<tool_call>\n<function=edit>\n<parameter=path>\n/a b\n</parameter>\n<parameter=n>\n3\n</parameter>\n<parameter=list>\n[1, \"x\"]\n</parameter>\n<parameter=body>\n\n  two\n</parameter>x\n\n</parameter>\n</function>\n</tool_call>";
    let arguments = r#"{"path":"/a b","n":3,"list":[1, "x"],"body":"\n  two\n</parameter>x\n"}"#;
    check(Content, text, "", "Sure.", &[("edit", arguments)]);
    let nested =
        "<tool_call>\n<function=w>\n<parameter=t>\n</tool_call>\n</parameter>\n</function>\n</tool_call>";
    check(Content, nested, "", "", &[("w", r#"{"t":"</tool_call>"}"#)]);
    let forgotten =
        "<tool_call>\n<function=w>\n<parameter=a>\n1\n<parameter=b>\nx\n</function>\n</tool_call>";
    check(Content, forgotten, "", "", &[("w", r#"{"a":1,"b":"x"}"#)]);
}

#[test]
fn declared_types_decide_what_xml_values_are() {
    let tools = serde_json::json!([{"type": "function", "function": {"name": "f", "parameters": {
        "type": "object", "properties": {
            "zip": {"type": "string"}, "n": {"type": "integer"}, "ok": {"type": "boolean"},
            "x": {"type": ["number", "null"]}, "o": {"type": "object"}, "bad": {"type": "integer"}}}}}]);
    let parser = ReplyParser::new(Content).with_tools(tools.as_array().unwrap());
    let mut text = "<tool_call>\n<function=f>\n".to_owned();
    for (key, value) in [
        ("zip", "01234"),
        ("n", "5"),
        ("ok", "True"),
        ("x", "null"),
        ("o", "{\"a\": 1}"),
        ("bad", "five"),
        ("other", "7"),
    ] {
        text += &format!("<parameter={key}>\n{value}\n</parameter>\n");
    }
    text += "</function>\n</tool_call>";
    let (_, content, calls) = run_with(parser, &text, 1000);
    assert_eq!(content, "");
    assert_eq!(
        calls,
        [(
            "f".to_owned(),
            r#"{"zip":"01234","n":5,"ok":true,"x":null,"o":{"a": 1},"bad":"five","other":"7"}"#.to_owned()
        )]
    );
}

#[test]
fn content_streams_without_delay() {
    let mut parser = ReplyParser::new(Content);
    assert_eq!(parser.push("Hel"), [ReplyEvent::Content("Hel".into())]);
    assert_eq!(parser.push("lo "), [ReplyEvent::Content("lo".into())]);
    assert_eq!(parser.push("x"), [ReplyEvent::Content(" x".into())]);
}

/// Random texts of tags and pieces of tags: the cuts never matter, and unless a call is recognised
/// everything but white space and the tags of thoughts comes out again, in order.
#[test]
fn nothing_is_lost_whatever_the_model_writes() {
    const PIECES: &[&str] = &[
        "<think>",
        "</think>",
        "<tool_call>",
        "</tool_call>",
        "{\"name\": \"f\", \"arguments\": {\"a\": \"",
        "\"}}",
        "{\"name\": \"f\", \"parameters\": {}}",
        "[",
        ", ",
        "]",
        "<function=f>",
        "<function=",
        "<parameter=k>",
        "</parameter>",
        "</function>",
        "<",
        "<tool",
        "</",
        "\n",
        " ",
        "\"",
        "x",
        "柏",
    ];
    let mut state = 5u32;
    let mut random = |below: usize| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        ((state >> 8) as usize) % below
    };
    let tools = [serde_json::json!({"name": "f", "parameters": {}})];
    let mut without_calls = 0;
    for _ in 0..4000 {
        let text: String = (0..1 + random(12)).map(|_| PIECES[random(PIECES.len())]).collect();
        for start in [Content, Thinking] {
            let run = |size| run_with(ReplyParser::new(start).with_tools(&tools), &text, size);
            let whole = run(usize::MAX);
            for size in [1, 2, 3, 7] {
                assert_eq!(run(size), whole, "{text:?} by {size}");
            }
            if whole.2.is_empty() {
                without_calls += 1;
                let bare = |text: &str| {
                    let text: String = text.chars().filter(|c| !c.is_whitespace()).collect();
                    text.replace("<think>", "").replace("</think>", "")
                };
                assert_eq!(bare(&format!("{}{}", whole.0, whole.1)), bare(&text), "{text:?}");
            }
        }
    }
    assert!(without_calls > 4000);
}

#[test]
fn thoughts_can_be_cut_off() {
    for (written, thoughts) in [
        ("hm\n\n", "hm\n\n"),
        ("hm", "hm\n\n"),
        ("<think>\n", ""),
        ("hm\n</th", "hm\n</th\n\n"),
        ("hm\n<tool_call>{\"na\n", "hm\n<tool_call>{\"na\n\n"),
    ] {
        let mut parser = ReplyParser::new(Thinking);
        let mut events = parser.push(written);
        assert!(parser.is_thinking());
        events.extend(parser.end_thoughts());
        assert!(!parser.is_thinking());
        events.extend(parser.push("Yes."));
        events.extend(parser.finish());
        let sentence = THINKING_BUDGET_END.trim_start().split_once("\n</think>").unwrap().0;
        let (reasoning, content, calls) = collect(events);
        assert_eq!(
            (reasoning, content, calls),
            (format!("{thoughts}{sentence}"), "Yes.".into(), vec![]),
            "{written:?}"
        );
    }
    // Content is left alone.
    let mut parser = ReplyParser::new(Content);
    parser.push("text\n\n");
    assert_eq!(parser.end_thoughts(), []);
    assert_eq!(parser.finish(), [ReplyEvent::Content("\n\n".into())]);
}
