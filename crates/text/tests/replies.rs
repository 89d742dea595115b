//! Replies that were reported as taken apart wrongly, and others of the same kinds, in every form in which they may come.

use qwill_text::{ReplyEvent, ReplyParser, ReplyStart, ReplyTag, ThoughtsEnd, Visibility};
use serde::Deserialize;
use serde_json::{Map, Value, json};

#[derive(Deserialize)]
struct Case {
    name: String,
    starts: String,
    reply: String,
    /// Schemas of the parameters of each tool.
    #[serde(default)]
    tools: Map<String, Value>,
    reasoning: Option<String>,
    content: String,
    calls: Vec<(String, Value)>,
}

fn cases() -> Vec<Case> {
    let files = [include_str!("data/replies/reported.json"), include_str!("data/replies/kinds.json")];
    files.into_iter().flat_map(|file| serde_json::from_str::<Vec<Case>>(file).unwrap()).collect()
}

impl Case {
    fn parser(&self) -> ReplyParser {
        let start = match self.starts.as_str() {
            "thinking" => ReplyStart::Thinking,
            _ => ReplyStart::Content,
        };
        let tools = self.tools.iter().map(|(name, properties)| {
            json!({"type": "function", "function": {"name": name, "parameters": {"type": "object", "properties": properties}}})
        });
        ReplyParser::new(start).with_tools(&tools.collect::<Vec<_>>())
    }

    #[track_caller]
    fn check(&self, events: Vec<ReplyEvent>, how: &str) {
        let found = Found::of(events);
        assert_eq!(
            (&found.content, &found.calls),
            (&self.content, &self.calls),
            "{}, {how}: {:?}",
            self.name,
            self.reply
        );
        if let Some(wanted) = &self.reasoning {
            assert_eq!(&found.reasoning, wanted, "{}, {how}", self.name);
        }
        if self.tools.is_empty() {
            assert_eq!(
                found.n_begun,
                found.calls.len(),
                "{}, {how}: no call is begun that is none",
                self.name
            );
        }
    }
}

/// What a reply consists of.
#[derive(Default)]
struct Found {
    reasoning: String,
    content: String,
    calls: Vec<(String, Value)>,
    n_begun: usize,
}

impl Found {
    #[track_caller]
    fn of(events: Vec<ReplyEvent>) -> Self {
        let mut found = Self::default();
        let mut part = (String::new(), String::new());
        for event in events {
            match event {
                ReplyEvent::Reasoning(text) => found.reasoning += &text,
                ReplyEvent::Content(text) => found.content += &text,
                ReplyEvent::ToolCallDelta(delta) => {
                    if let Some(name) = delta.name {
                        part = (name, String::new());
                        found.n_begun += 1;
                    }
                    assert_eq!(delta.call + 1, found.n_begun);
                    part.1 += &delta.arguments;
                }
                ReplyEvent::ToolCall { name, arguments } => {
                    assert_eq!(part, (name.clone(), arguments.clone()), "the parts of a call are the call");
                    found.calls.push((name, serde_json::from_str(&arguments).unwrap()));
                }
            }
        }
        found
    }
}

fn pushed(mut parser: ReplyParser, pieces: &[&str]) -> Vec<ReplyEvent> {
    let mut events: Vec<_> = pieces.iter().flat_map(|piece| parser.push(piece)).collect();
    events.extend(parser.finish());
    events
}

/// A part of a reply.
enum Token<'t> {
    Tag(ReplyTag),
    Text(&'t str),
}

/// A reply as tokens: the tags by themselves, and the text between.
fn tokens(reply: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut rest = reply;
    while !rest.is_empty() {
        let next = ReplyTag::ALL
            .into_iter()
            .filter_map(|tag| Some((rest.find(tag.name())?, tag)))
            .min_by_key(|x| x.0);
        let end = next.map_or(rest.len(), |(at, _)| at);
        tokens.push(Token::Text(&rest[..end]));
        rest = &rest[end..];
        if let Some((_, tag)) = next {
            tokens.push(Token::Tag(tag));
            rest = &rest[tag.name().len()..];
        }
    }
    tokens
}

#[test]
fn replies_are_taken_apart_wherever_they_are_cut() {
    for case in cases() {
        let text = &case.reply;
        let cuts: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
        for &at in &cuts {
            case.check(pushed(case.parser(), &[&text[..at], &text[at..]]), &format!("cut at {at}"));
        }
        for size in 1..8 {
            let ends = cuts.iter().copied().skip(size).step_by(size).chain([text.len()]);
            let pieces: Vec<&str> =
                cuts.iter().step_by(size).zip(ends).map(|(&from, to)| &text[from..to]).collect();
            assert_eq!(pieces.concat(), *text);
            case.check(pushed(case.parser(), &pieces), &format!("pieces of {size}"));
        }
    }
}

#[test]
fn tags_may_be_tokens() {
    for case in cases() {
        for end in [ThoughtsEnd::Text, ThoughtsEnd::Token] {
            let mut parser = case.parser().ending_thoughts_at(end);
            let mut events = Vec::new();
            for token in tokens(&case.reply) {
                events.extend(match token {
                    Token::Tag(tag) => parser.push_tag(tag, Visibility::Shown),
                    Token::Text(text) => parser.push(text),
                });
            }
            events.extend(parser.finish());
            case.check(events, "tags as tokens");
        }
    }
}

#[test]
fn control_tokens_are_tags_but_never_shown() {
    /// Line breaks around what does not show may go with it.
    fn bare(text: &str) -> String {
        let hidden =
            ReplyTag::ALL.into_iter().fold(text.to_owned(), |text, tag| text.replace(tag.name(), ""));
        hidden.replace('\n', "")
    }
    for case in cases() {
        let mut parser = case.parser().ending_thoughts_at(ThoughtsEnd::Token);
        let mut events = Vec::new();
        for token in tokens(&case.reply) {
            events.extend(match token {
                Token::Tag(tag) => parser.push_tag(tag, Visibility::Hidden),
                Token::Text(text) => parser.push(text),
            });
        }
        events.extend(parser.finish());
        let found = Found::of(events);
        assert_eq!(found.calls, case.calls, "{}", case.name);
        assert_eq!(found.content.replace('\n', ""), bare(&case.content), "{}", case.name);
        if let Some(wanted) = &case.reasoning {
            assert_eq!(found.reasoning.replace('\n', ""), bare(wanted), "{}", case.name);
        }
    }
}

#[test]
fn thoughts_may_mention_their_end() {
    let mut parser = ReplyParser::new(ReplyStart::Content).ending_thoughts_at(ThoughtsEnd::Token);
    let mut events = parser.push_tag(ReplyTag::Think, Visibility::Shown);
    events.extend(parser.push("\na </think> b <tool_call>{\"name\": \"f\"}</tool_call> c"));
    assert!(parser.is_thinking());
    events.extend(parser.push_tag(ReplyTag::EndThink, Visibility::Shown));
    events.extend(parser.push("\n\nd </think> e"));
    events.extend(parser.push_tag(ReplyTag::EndThink, Visibility::Shown));
    events.extend(parser.push("f"));
    events.extend(parser.finish());
    let reasoning: String = events
        .iter()
        .filter_map(|e| if let ReplyEvent::Reasoning(text) = e { Some(&**text) } else { None })
        .collect();
    let content: String = events
        .iter()
        .filter_map(|e| if let ReplyEvent::Content(text) = e { Some(&**text) } else { None })
        .collect();
    assert_eq!(reasoning, "a </think> b <tool_call>{\"name\": \"f\"}</tool_call> c");
    assert_eq!(content, "d </think> e</think>f");
    // Thoughts that were opened without the token end without it.
    let mut parser = ReplyParser::new(ReplyStart::Content).ending_thoughts_at(ThoughtsEnd::Token);
    assert_eq!(
        [parser.push("<think>a</think>b"), parser.finish()].concat(),
        [ReplyEvent::Reasoning("a".into()), ReplyEvent::Content("b".into())]
    );
}

#[test]
fn what_was_cut_off_is_no_call_unless_nothing_can_be_missing() {
    let whole = "<tool_call>\n<function=f>\n<parameter=a>\nx\n</parameter>";
    for (text, n_calls, start) in [
        (whole.to_owned(), 0, ReplyStart::Content),
        (format!("{whole}\n</function>"), 1, ReplyStart::Content),
        ("<tool_call>\n{\"name\": \"f\", \"arguments\": {}}".to_owned(), 1, ReplyStart::Content),
        ("<tool_call>\n{\"name\": \"f\"}\n</tool_call>".to_owned(), 0, ReplyStart::Thinking),
    ] {
        let mut parser = ReplyParser::new(start);
        let mut events = parser.push(&text);
        events.extend(parser.cut());
        let calls = events.iter().filter(|event| matches!(event, ReplyEvent::ToolCall { .. })).count();
        assert_eq!(calls, n_calls, "{text}");
        let said: String = events
            .iter()
            .map(|event| match event {
                ReplyEvent::Content(text) | ReplyEvent::Reasoning(text) => text.as_str(),
                _ => "",
            })
            .collect();
        assert_eq!(said, if n_calls == 0 { text.as_str() } else { "" });
    }
}

/// Arguments come while they are written: what is told at each cut, and nothing twice.
#[test]
fn calls_are_told_while_they_are_written() {
    let tools = [
        json!({"name": "f", "parameters": {"properties": {"a": {"type": "string"}, "n": {"type": "integer"}}}}),
    ];
    for (pieces, told) in [
        (
            [
                "<tool_call>\n{\"name\": \"f\", ",
                "\"arguments\": {\"a",
                "\": \"one ",
                "two\", \"n\": 12",
                "3}}",
                "\n</tool_call>",
            ],
            ["", "f({\"a", "\": \"one ", "two\", \"n\": ", "123}", "."],
        ),
        (
            [
                "<tool_call>\n<function=f>\n<parameter=a",
                ">\none",
                " two\n",
                "three\n</parameter>\n<parameter=n>\n12",
                "3\n</parameter>",
                "\n</function>\n</tool_call>",
            ],
            ["", "f({\"a\":\"one", " two", "\\nthree\",\"n\":", "", "123}."],
        ),
    ] {
        let mut parser = ReplyParser::new(ReplyStart::Content).with_tools(&tools);
        let parts = pieces.map(|piece| {
            let events = parser.push(piece);
            events
                .into_iter()
                .map(|event| match event {
                    ReplyEvent::ToolCallDelta(delta) => {
                        delta.name.map_or(String::new(), |name| name + "(") + &delta.arguments
                    }
                    ReplyEvent::ToolCall { .. } => ".".to_owned(),
                    ReplyEvent::Content(text) | ReplyEvent::Reasoning(text) => text,
                })
                .collect::<String>()
        });
        assert_eq!(parts, told.map(str::to_owned));
        assert_eq!(parser.finish(), []);
    }
}
