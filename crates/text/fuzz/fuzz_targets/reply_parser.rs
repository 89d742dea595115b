//! Any reply, cut anywhere: the same thoughts, text and calls, parts that are the calls, and arguments that are JSON.
//!
//! The first byte says how the reply begins and how it is cut, the rest is the reply. Run by `cargo xtask test fuzz`.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use qwill_text::{ReplyEvent, ReplyParser, ReplyStart, ReplyTag, ThoughtsEnd, Visibility};
use serde_json::{Map, Value, json};

static TOOLS: LazyLock<Vec<Value>> = LazyLock::new(|| {
    vec![json!({"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {
        "a": {"type": "string"}, "n": {"type": "integer"}, "o": {"type": "object"}, "m": {"type": ["string", "null"]}}}}})]
});

#[derive(Debug, Default, PartialEq)]
struct Reply {
    reasoning: String,
    content: String,
    calls: Vec<(String, String)>,
}

fn read(mut parser: ReplyParser, text: &str, size: usize, tags: Option<Visibility>) -> Reply {
    let mut events = Vec::new();
    let mut piece = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let tag = ReplyTag::ALL.into_iter().find(|tag| rest.starts_with(tag.name()));
        if let (Some(visibility), Some(tag)) = (tags, tag) {
            events.extend(parser.push(&std::mem::take(&mut piece)));
            events.extend(parser.push_tag(tag, visibility));
            rest = &rest[tag.name().len()..];
            continue;
        }
        piece.push(c);
        rest = &rest[c.len_utf8()..];
        if piece.chars().count() == size {
            events.extend(parser.push(&std::mem::take(&mut piece)));
        }
    }
    events.extend(parser.push(&piece));
    events.extend(parser.finish());
    let (mut reply, mut part, mut n_begun) = (Reply::default(), (String::new(), String::new()), 0);
    for event in events {
        match event {
            ReplyEvent::Reasoning(text) => reply.reasoning += &text,
            ReplyEvent::Content(text) => reply.content += &text,
            ReplyEvent::ToolCallDelta(delta) => {
                if let Some(name) = delta.name {
                    part = (name, String::new());
                    n_begun += 1;
                }
                assert_eq!(delta.call + 1, n_begun);
                part.1 += &delta.arguments;
            }
            ReplyEvent::ToolCall { name, arguments } => {
                assert!(serde_json::from_str::<Map<String, Value>>(&arguments).is_ok() || arguments.contains("\\u"));
                assert_eq!(part, (name.clone(), arguments.clone()));
                reply.calls.push((name, arguments));
            }
        }
    }
    reply
}

fuzz_target!(|data: &[u8]| {
    let Some((&how, text)) = data.split_first() else { return };
    let text = String::from_utf8_lossy(text);
    let start = if how & 1 == 0 { ReplyStart::Content } else { ReplyStart::Thinking };
    let end = if how & 2 == 0 { ThoughtsEnd::Text } else { ThoughtsEnd::Token };
    let tags = [None, None, Some(Visibility::Shown), Some(Visibility::Hidden)][usize::from(how >> 2 & 3)];
    let parser = ReplyParser::new(start).ending_thoughts_at(end);
    let parser = if how & 16 == 0 { parser.with_tools(&TOOLS) } else { parser };
    let whole = read(parser.clone(), &text, usize::MAX, tags);
    assert_eq!(read(parser.clone(), &text, 1, tags), whole);
    assert_eq!(read(parser, &text, 2 + usize::from(how >> 5), tags), whole);
    if whole.calls.is_empty() && tags != Some(Visibility::Hidden) {
        // Nothing is lost but white space and the tags of thoughts.
        let bare = |text: &str| {
            let text: String = text.chars().filter(|c| !c.is_whitespace()).collect();
            text.replace("<think>", "").replace("</think>", "")
        };
        let marks = |c: char| ('\u{FDD1}'..='\u{FDD8}').contains(&c);
        let wanted = text.replace(marks, "\u{FFFD}");
        assert_eq!(bare(&format!("{}{}", whole.reasoning, whole.content)), bare(&wanted));
    }
});
