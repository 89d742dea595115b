//! Replies that must have a form have it, whatever the model would rather write.
#![cfg(feature = "grammar")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use pollster::block_on;
use qwill::weights::{ByteSource, MemorySource};
use qwill::{
    ChatReply, ChatRequest, Control, FinishReason, GrammarText, LoadOptions, Message, Model, ModelFiles,
    ResponseFormat, SamplingOptions, ToolChoice,
};
use serde_json::{Value, json};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden").join(name)
}

fn load(name: &str) -> Model {
    load_files(ModelFiles::from_path(golden(name)).unwrap())
}

fn load_files(files: ModelFiles) -> Model {
    let options = LoadOptions { context_length: Some(2048), ..LoadOptions::default() };
    block_on(Model::load(files, &options, &mut |_| Control::Continue)).unwrap()
}

/// A model whose calls have a tag for each parameter.
fn model_of_tags() -> Model {
    let source = |path: PathBuf| -> Arc<dyn ByteSource> {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        Arc::new(MemorySource::new(name, std::fs::read(path).unwrap()))
    };
    let files = std::fs::read_dir(golden("qwen3-tied")).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = files
        .filter(|path| !path.file_name().unwrap().to_str().unwrap().starts_with("expected"))
        .map(source)
        .collect();
    let template = std::fs::read(golden("templates/xml.jinja")).unwrap();
    files.push(Arc::new(MemorySource::new("chat_template.jinja", template)));
    load_files(ModelFiles::from_sources("tags", files))
}

/// Their weights are random: what comes out that makes sense was forced.
fn models() -> Vec<Model> {
    ["qwen2-tied", "qwen3-tied"].map(load).into()
}

fn reply(model: &Model, request: &ChatRequest) -> ChatReply {
    block_on(model.chat(request).unwrap().reply()).unwrap_or_else(|error| panic!("{request:?}: {error}"))
}

fn ask(seed: u64) -> ChatRequest {
    let sampling = SamplingOptions { temperature: Some(1.0), seed: Some(seed), ..SamplingOptions::default() };
    ChatRequest { sampling, max_tokens: Some(600), enable_thinking: Some(false), ..ChatRequest::user("Hi") }
}

#[test]
fn regular_expressions_are_matched_as_a_whole() {
    for model in models() {
        for seed in 0..4 {
            let regex = Some("[a-f]{3}-[0-9]{2,4}|none".to_owned());
            let reply = reply(&model, &ChatRequest { regex, ..ask(seed) });
            let is_code = |text: &str| {
                let (letters, digits) = text.split_once('-')?;
                let are_letters = letters.len() == 3 && letters.bytes().all(|b| matches!(b, b'a'..=b'f'));
                Some(
                    are_letters
                        && (2..=4).contains(&digits.len())
                        && digits.bytes().all(|b| b.is_ascii_digit()),
                )
            };
            assert!(reply.text == "none" || is_code(&reply.text) == Some(true), "{:?}", reply.text);
            assert_eq!(reply.finish_reason, FinishReason::Stop);
            assert!(reply.timings.mask_ms.is_some());
        }
    }
}

#[test]
fn json_obeys_its_schema() {
    let schema = json!({
        "type": "object",
        "properties": {
            "name": {"type": "string", "maxLength": 12},
            "kind": {"enum": ["cat", "dog"]},
            "legs": {"type": "integer", "minimum": 0, "maximum": 8},
            "tags": {"type": "array", "items": {"$ref": "#/$defs/tag"}, "minItems": 1, "maxItems": 3}
        },
        "required": ["name", "kind", "legs", "tags"],
        "additionalProperties": false,
        "$defs": {"tag": {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"], "additionalProperties": false}}
    });
    for model in models() {
        for seed in 0..3 {
            let request =
                ChatRequest { response_format: Some(ResponseFormat::schema(schema.clone())), ..ask(seed) };
            let reply = reply(&model, &request);
            let value: Value =
                serde_json::from_str(&reply.text).unwrap_or_else(|e| panic!("{}: {e}", reply.text));
            assert!(matches!(value["kind"].as_str(), Some("cat" | "dog")), "{value}");
            assert!(value["legs"].as_u64().is_some_and(|legs| legs <= 8), "{value}");
            assert!(value["name"].as_str().is_some_and(|name| name.chars().count() <= 12), "{value}");
            let tags = value["tags"].as_array().unwrap();
            assert!(
                (1..=3).contains(&tags.len()) && tags.iter().all(|tag| tag["ok"].is_boolean()),
                "{value}"
            );
            assert_eq!(value.as_object().unwrap().len(), 4);
        }
        let format = Some(ResponseFormat::JsonObject);
        let whole = reply(&model, &ChatRequest { response_format: format, max_tokens: Some(900), ..ask(7) });
        match whole.finish_reason {
            FinishReason::Stop => {
                drop(serde_json::from_str::<serde_json::Map<String, Value>>(&whole.text).unwrap())
            }
            reason => assert_eq!(reason, FinishReason::Length),
        }
    }
}

#[test]
fn grammars_of_both_syntaxes_are_followed() {
    let gbnf = "root ::= \"yes\" | \"no\" (\", \" [a-z]{2,5})?";
    let lark = "start: \"yes\" | \"no\" (\", \" WORD)?\nWORD: /[a-z]{2,5}/";
    for model in models() {
        for text in [gbnf, lark] {
            let reply = reply(&model, &ChatRequest { grammar: Some(GrammarText::guess(text)), ..ask(1) });
            let rest = reply.text.strip_prefix("no, ").unwrap_or("ab");
            let is_word = (2..=5).contains(&rest.len()) && rest.bytes().all(|b| b.is_ascii_lowercase());
            let is_right = reply.text == "yes" || reply.text == "no" || reply.text.starts_with("no, ");
            assert!(is_right && is_word, "{:?}", reply.text);
        }
    }
}

fn tools() -> Vec<Value> {
    let tool = |name: &str, parameters: Value| json!({"type": "function", "function": {"name": name, "parameters": parameters}});
    vec![
        tool(
            "weather",
            json!({"type": "object", "properties": {"city": {"enum": ["Paris", "Rome"]}, "days": {"type": "integer", "minimum": 1, "maximum": 9}},
                "required": ["city", "days"], "additionalProperties": false}),
        ),
        tool("now", json!({"type": "object", "properties": {}, "additionalProperties": false})),
    ]
}

#[test]
fn calls_are_made_when_they_must_be() {
    for model in models() {
        for (choice, names) in [
            (ToolChoice::Required, &["weather", "now"][..]),
            (ToolChoice::Named("weather".into()), &["weather"]),
        ] {
            for seed in 0..3 {
                let request = ChatRequest {
                    tools: Some(tools()),
                    tool_choice: Some(choice.clone()),
                    parallel_tool_calls: Some(false),
                    ..ask(seed)
                };
                let reply = reply(&model, &request);
                assert_eq!(
                    (reply.finish_reason, reply.tool_calls.len()),
                    (FinishReason::ToolCalls, 1),
                    "{reply:?}"
                );
                let call = &reply.tool_calls[0];
                assert!(names.contains(&&*call.name), "{call:?}");
                let arguments: Value = serde_json::from_str(&call.arguments).unwrap();
                if call.name == "weather" {
                    assert!(matches!(arguments["city"].as_str(), Some("Paris" | "Rome")), "{arguments}");
                    assert!(matches!(arguments["days"].as_u64(), Some(1..=9)), "{arguments}");
                } else {
                    assert_eq!(arguments, json!({}));
                }
            }
        }
    }
}

#[test]
fn calls_with_a_tag_for_each_parameter_obey_their_schema() {
    let model = model_of_tags();
    let parameters = json!({"type": "object", "required": ["n", "tags"], "properties": {
        "n": {"type": "integer", "minimum": 3, "maximum": 12},
        "tags": {"type": "array", "items": {"enum": ["a", "b"]}, "maxItems": 2}, "RULE": {"type": "boolean"}}});
    let tool = json!({"type": "function", "function": {"name": "keep", "parameters": parameters}});
    for seed in 0..6 {
        let request = ChatRequest {
            tools: Some(vec![tool.clone()]),
            tool_choice: Some(ToolChoice::Named("keep".into())),
            ..ask(seed)
        };
        let reply = reply(&model, &request);
        let [call] = &reply.tool_calls[..] else { panic!("{reply:?}") };
        let arguments: Value = serde_json::from_str(&call.arguments).unwrap();
        assert!((3..=12).contains(&arguments["n"].as_u64().unwrap()), "{call:?}");
        assert!(arguments["tags"].as_array().unwrap().len() <= 2, "{call:?}");
        assert!(arguments.get("RULE").is_none_or(Value::is_boolean), "{call:?}");
        let mut names = arguments.as_object().unwrap().keys();
        assert!(names.all(|name| ["n", "tags", "RULE"].contains(&&**name)), "{call:?}");
    }
}

#[test]
fn texts_of_calls_by_tags_obey_their_schema() {
    let model = model_of_tags();
    let parameters = json!({"type": "object", "required": ["unit", "code", "name", "note"],
        "$defs": {"unit": {"enum": ["C", "deg F", "</parameter>"]}},
        "properties": {
            "unit": {"$ref": "#/$defs/unit"},
            "code": {"type": "string", "pattern": "^[A-Z]{2}-\\d+$", "maxLength": 6},
            "name": {"type": ["string", "null"], "minLength": 2, "maxLength": 9},
            "note": {"anyOf": [{"const": "a/b"}, {"type": "string", "pattern": "x", "maxLength": 8}]}}});
    let validator = jsonschema::validator_for(&parameters).unwrap();
    let tool =
        json!({"type": "function", "function": {"name": "keep", "strict": true, "parameters": parameters}});
    for seed in 0..4 {
        let request = ChatRequest {
            tools: Some(vec![tool.clone()]),
            tool_choice: Some(ToolChoice::Required),
            parallel_tool_calls: Some(false),
            ..ask(seed)
        };
        let reply = reply(&model, &request);
        let [call] = &reply.tool_calls[..] else { panic!("{reply:?}") };
        let arguments: Value = serde_json::from_str(&call.arguments).unwrap();
        assert!(validator.is_valid(&arguments), "{arguments}");
    }
    let mut not = tool;
    not["function"]["parameters"]["properties"]["name"] = json!({"type": "string", "not": {"const": "x"}});
    let request = ChatRequest { tools: Some(vec![not]), ..ask(1) };
    let error = model.chat(&request).unwrap_err().to_string();
    assert!(error.contains("the parameter \"name\" of \"keep\": \"not\""), "{error}");
}

#[test]
fn beside_tools_a_reply_calls_or_has_its_form() {
    let schema = json!({"type": "object", "properties": {"n": {"type": "integer", "minimum": 1, "maximum": 99}},
        "required": ["n"], "additionalProperties": false});
    for model in [load("qwen2-tied"), model_of_tags()] {
        let (mut n_calls, mut n_texts) = (0, 0);
        for (seed, bias) in [(1, 50.0), (2, -50.0), (3, 50.0), (4, -50.0)] {
            let format = Some(ResponseFormat::schema(schema.clone()));
            let request = ChatRequest { tools: Some(tools()), response_format: format, ..ask(seed) };
            // what a trained model's mind is, for random weights
            let biased = ChatRequest {
                logit_bias: model.tokenizer().unwrap().id_of("<tool_call>").map(|id| [(id, bias)].into()),
                parallel_tool_calls: Some(false),
                ..request
            };
            let reply = reply(&model, &biased);
            match &reply.tool_calls[..] {
                [] => {
                    let value: Value = serde_json::from_str(&reply.text).unwrap();
                    assert!((1..=99).contains(&value["n"].as_u64().unwrap()), "{value}");
                    n_texts += 1;
                }
                [call] => {
                    assert!(reply.text.is_empty() && ["weather", "now"].contains(&&*call.name), "{reply:?}");
                    n_calls += 1;
                }
                _ => panic!("{reply:?}"),
            }
        }
        assert_eq!((n_calls, n_texts), (2, 2));
    }
}

#[test]
fn thoughts_are_free_and_the_form_begins_behind_them() {
    let model = load("qwen3-tied");
    for (seed, budget) in [(1, 5), (2, 30)] {
        let request = ChatRequest {
            regex: Some("[0-9]{4}".into()),
            enable_thinking: Some(true),
            thinking_budget: Some(budget),
            ..ask(seed)
        };
        let request = ChatRequest {
            messages: vec![Message::user("Hi"), Message::assistant("<think>\n"), Message::user("go on")],
            ..request
        };
        let reply = reply(&model, &request);
        assert!(reply.text.len() == 4 && reply.text.bytes().all(|b| b.is_ascii_digit()), "{reply:?}");
    }
}

#[test]
fn thoughts_that_are_cut_lead_to_the_form() {
    let model = load("qwen3-tied");
    let schema = json!({"type": "object", "properties": {"n": {"type": "integer", "minimum": 1, "maximum": 99}},
        "required": ["n"], "additionalProperties": false});
    for seed in 0..3 {
        let request = ChatRequest {
            messages: vec![Message::user("Hi"), Message::assistant("<think>\n"), Message::user("go on")],
            response_format: Some(ResponseFormat::schema(schema.clone())),
            enable_thinking: Some(true),
            thinking_budget: Some(4),
            ..ask(seed)
        };
        let reply = reply(&model, &request);
        let value: Value = serde_json::from_str(&reply.text).unwrap_or_else(|e| panic!("{reply:?}: {e}"));
        assert!(matches!(value["n"].as_u64(), Some(1..=99)), "{reply:?}");
        assert_eq!(reply.finish_reason, FinishReason::Stop);
    }
}

#[test]
fn a_limit_says_whether_the_form_is_whole() {
    let model = load("qwen3-tied");
    let request = ChatRequest { regex: Some("(cat|dog): [0-9]{2}, done".into()), ..ask(5) };
    let whole = reply(&model, &request);
    assert_eq!(whole.finish_reason, FinishReason::Stop);
    let n_tokens = whole.ids.len();
    for most in 1..=n_tokens {
        let cut = reply(&model, &ChatRequest { max_tokens: Some(most), ..request.clone() });
        let is_whole = cut.text == whole.text;
        let wanted = if is_whole { FinishReason::Stop } else { FinishReason::Length };
        assert_eq!(
            (cut.finish_reason, is_whole),
            (wanted, most == n_tokens),
            "{most} of {n_tokens}: {cut:?}"
        );
        assert_eq!(cut.ids, whole.ids[..most]);
    }
    // it may end wherever the limit strikes, but did not end by itself
    let request = ChatRequest { regex: Some("a[a-z]*".into()), max_tokens: Some(3), ..ask(1) };
    let open = reply(&model, &request);
    assert!(open.text.starts_with('a') && open.text.bytes().all(|b| b.is_ascii_lowercase()), "{open:?}");
    let wanted = if open.ids.len() == 3 { FinishReason::Length } else { FinishReason::Stop };
    assert_eq!(open.finish_reason, wanted, "{open:?}");
}

#[test]
fn forms_hold_where_each_token_is_looked_at() {
    let model = load("qwen3-tied");
    let regex = Some("(left|right): [0-9]{3}".to_owned());
    let probabilities = ChatRequest { regex: regex.clone(), logprobs: Some(true), ..ask(2) };
    let mut penalised = ChatRequest { regex, ..ask(2) };
    penalised.sampling.repetition_penalty = Some(1.8);
    for request in [probabilities, penalised] {
        let reply = reply(&model, &request);
        let (side, digits) = reply.text.split_once(": ").unwrap_or_else(|| panic!("{reply:?}"));
        assert!(matches!(side, "left" | "right") && digits.parse::<u16>().is_ok(), "{reply:?}");
        assert_eq!(reply.finish_reason, FinishReason::Stop);
        let n_told = reply.logprobs.as_ref().map_or(reply.ids.len(), |logprobs| logprobs.content.len());
        assert_eq!(n_told, reply.ids.len());
    }
}

#[test]
fn others_do_not_notice() {
    let model = load("qwen3-tied");
    let free = ChatRequest { max_tokens: Some(40), ..ask(3) };
    let alone = reply(&model, &free);
    let limited =
        ChatRequest { response_format: Some(ResponseFormat::JsonObject), max_tokens: Some(60), ..ask(4) };
    let streams: Vec<_> =
        [&limited, &free, &limited, &free].map(|request| model.chat(request).unwrap()).into();
    let replies: Vec<ChatReply> =
        streams.into_iter().map(|stream| block_on(stream.reply()).unwrap()).collect();
    assert_eq!((&replies[1].ids, &replies[3].ids), (&alone.ids, &alone.ids));
    assert_eq!(replies[0].ids, replies[2].ids);
}

#[test]
fn what_cannot_be_followed_is_refused_before_anything_is_generated() {
    let model = load("qwen3-tied");
    let schema =
        |schema: Value| ChatRequest { response_format: Some(ResponseFormat::schema(schema)), ..ask(0) };
    let with_tools = |choice| ChatRequest { tools: Some(tools()), tool_choice: Some(choice), ..ask(0) };
    for (request, words) in [
        (schema(json!({"type": "object", "dependentSchemas": {"a": true}})), "dependentSchemas"),
        (schema(json!({"type": "nonsense"})), "nonsense"),
        (schema(json!({"$ref": "#/$defs/nowhere"})), "nowhere"),
        (ChatRequest { regex: Some("(a".into()), ..ask(0) }, "regular expression"),
        (ChatRequest { regex: Some("a".into()), ..schema(json!({})) }, "exclude each other"),
        (ChatRequest { grammar: Some(GrammarText::guess("start: missing")), ..ask(0) }, "missing"),
        (ChatRequest { grammar: Some(GrammarText::guess("root ::= missing")), ..ask(0) }, "missing"),
        (with_tools(ToolChoice::Named("fly".into())), "\"fly\", which is not among the tools: weather, now"),
        (ChatRequest { tool_choice: Some(ToolChoice::Required), ..ask(0) }, "has no tools"),
        (
            ChatRequest { grammar: Some(GrammarText::guess("start: \"a\"")), ..with_tools(ToolChoice::Auto) },
            "a grammar beside tools",
        ),
        (ChatRequest { regex: Some("a".into()), ..with_tools(ToolChoice::Required) }, "has no text"),
    ] {
        let error = model.chat(&request).map(|_| ()).unwrap_err();
        assert!(error.to_string().contains(words), "\"{words}\" is not in: {error}");
        assert_eq!(error.code(), "invalid-request");
    }
}
