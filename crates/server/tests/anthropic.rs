//! Anthropic's interface over real sockets.

mod common;

use common::{Served, demo, scripted, scripted_thinker};
use qwill_server::Options;
use serde_json::{Value, json};

/// A message put together from the events of its stream, as clients do it.
fn assembled(events: &[(String, String)]) -> Value {
    let mut message = Value::Null;
    let mut json_of_input = String::new();
    for (name, data) in events {
        let event: Value = serde_json::from_str(data).unwrap();
        assert_eq!(&event["type"], name);
        let block = event["index"].as_u64().map(|index| format!("/content/{index}"));
        match name.as_str() {
            "message_start" => message = event["message"].clone(),
            "content_block_start" => {
                assert_eq!(event["index"], message["content"].as_array().unwrap().len());
                message["content"].as_array_mut().unwrap().push(event["content_block"].clone());
            }
            "content_block_delta" => {
                let block = message.pointer_mut(&block.unwrap()).unwrap();
                let add = |block: &mut Value, field: &str| {
                    let text =
                        block[field].as_str().unwrap().to_owned() + event["delta"][field].as_str().unwrap();
                    block[field] = text.into();
                };
                match event["delta"]["type"].as_str().unwrap() {
                    "text_delta" => add(block, "text"),
                    "thinking_delta" => add(block, "thinking"),
                    "input_json_delta" => json_of_input += event["delta"]["partial_json"].as_str().unwrap(),
                    other => panic!("{other}"),
                }
            }
            "content_block_stop" if !json_of_input.is_empty() => {
                let block = message.pointer_mut(&block.unwrap()).unwrap();
                block["input"] = serde_json::from_str(&std::mem::take(&mut json_of_input)).unwrap();
            }
            "message_delta" => {
                for field in ["stop_reason", "stop_sequence"] {
                    message[field] = event["delta"][field].clone();
                }
                message["usage"] = event["usage"].clone();
            }
            "ping" | "content_block_stop" => {}
            "message_stop" => return message,
            other => panic!("{other}"),
        }
    }
    panic!("there is no end: {events:?}");
}

/// Without what differs each time.
fn comparable(mut message: Value) -> Value {
    message["id"] = Value::Null;
    // The second time all of the prompt is cached.
    message["usage"] = message["usage"]["output_tokens"].clone();
    for block in message["content"].as_array_mut().unwrap() {
        if !block["id"].is_null() {
            assert!(block["id"].as_str().unwrap().starts_with("toolu_"));
            block["id"] = Value::Null;
        }
    }
    message
}

/// An answer, which streams the same.
async fn both(served: &Served, mut body: Value) -> Value {
    let whole = served.ask("/v1/messages", body.clone()).await;
    body["stream"] = json!(true);
    let streamed = assembled(&served.events("/v1/messages", body).await);
    assert_eq!(comparable(streamed), comparable(whole.clone()));
    whole
}

#[tokio::test]
async fn messages_whole_and_in_parts() {
    let call =
        "Well.\n<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": \"Oslo\"}}\n</tool_call>";
    let models =
        vec![demo(), scripted("caller", call), scripted_thinker("thinker", "hm, so\n</think>\n\nYes.")];
    let served = Served::new(models, Options::default()).await;
    let sky = json!({
        "model": "demo", "max_tokens": 60, "temperature": 0, "metadata": {"user_id": "me"},
        "messages": [{"role": "user", "content": [{"type": "text", "text": "What colour is the sky?", "cache_control": {"type": "ephemeral"}}]}],
    });
    let message = both(&served, sky.clone()).await;
    let text = message["content"][0]["text"].as_str().unwrap();
    assert!(text.contains("blue"), "{message}");
    assert_eq!(
        (&message["type"], &message["role"], &message["stop_reason"]),
        (&json!("message"), &json!("assistant"), &json!("end_turn"))
    );
    let usage = &message["usage"];
    let n_read = usage["input_tokens"].as_u64().unwrap() + usage["cache_read_input_tokens"].as_u64().unwrap();
    let count =
        served.ask("/v1/messages/count_tokens", json!({"model": "demo", "messages": sky["messages"]})).await;
    assert_eq!(count, json!({"input_tokens": n_read}));

    let mut stopped = sky.clone();
    stopped["stop_sequences"] = json!(["never", "blue"]);
    let stopped = both(&served, stopped).await;
    assert_eq!(
        (&stopped["stop_reason"], &stopped["stop_sequence"]),
        (&json!("stop_sequence"), &json!("blue"))
    );
    let mut short = sky.clone();
    short["max_tokens"] = json!(2);
    assert_eq!(both(&served, short).await["stop_reason"], "max_tokens");
    let mut thinking = sky.clone();
    thinking["max_tokens"] = json!(400);
    thinking["thinking"] = json!({"type": "enabled", "budget_tokens": 200});
    let thought = served.ask("/v1/messages", thinking).await;
    assert_eq!(
        (&thought["content"][0]["type"], &thought["content"][1]["type"]),
        (&json!("thinking"), &json!("text")),
        "{thought}"
    );
    let mut formed = sky.clone();
    let schema = json!({"type": "object", "properties": {"sky": {"enum": ["blue", "grey"]}}, "required": ["sky"], "additionalProperties": false});
    formed["output_config"] = json!({"format": {"type": "json_schema", "schema": schema}});
    let formed = served.ask("/v1/messages", formed).await;
    let form: Value = serde_json::from_str(formed["content"][0]["text"].as_str().unwrap()).unwrap();
    assert!(form["sky"].is_string());

    let tools = json!([{"name": "weather", "description": "Tells it.", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}]);
    let body = json!({"model": "caller", "max_tokens": 100, "temperature": 0, "messages": [{"role": "user", "content": "Oslo?"}], "tools": tools});
    let called = both(&served, body).await;
    assert_eq!(called["stop_reason"], "tool_use");
    let call = called["content"].as_array().unwrap().last().unwrap();
    assert_eq!(
        (&call["type"], &call["name"], &call["input"]),
        (&json!("tool_use"), &json!("weather"), &json!({"city": "Oslo"}))
    );
    // The conversation goes on with what the tool answered.
    let mut further = sky.clone();
    further["tools"] = tools;
    further["messages"] = json!([
        {"role": "user", "content": "Oslo?"},
        {"role": "assistant", "content": called["content"]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": call["id"], "content": [{"type": "text", "text": "Rain."}]},
            {"type": "text", "text": "So?"},
        ]},
    ]);
    served.ask("/v1/messages", further).await;
    let body = json!({"model": "thinker", "max_tokens": 100, "temperature": 0, "messages": [{"role": "user", "content": "So?"}]});
    let thought = both(&served, body).await;
    assert_eq!(thought["content"][0]["thinking"].as_str().unwrap().trim(), "hm, so");

    let with = |name: &str, value: Value| {
        let mut body = sky.clone();
        body[name] = value;
        body
    };
    for (body, status, kind, words) in [
        (with("max_tokens", Value::Null), 400, "invalid_request_error", "max_tokens is missing"),
        (with("model", json!("claude")), 404, "not_found_error", "no model \"claude\""),
        (with("wish", json!(1)), 400, "invalid_request_error", "\"wish\" is not known"),
        (
            with("tools", json!([{"type": "web_search_20250305", "name": "web_search"}])),
            400,
            "invalid_request_error",
            "tools[0].type",
        ),
        (
            with("messages", json!([{"role": "user", "content": [{"type": "image", "source": {}}]}])),
            400,
            "invalid_request_error",
            "\"image\"",
        ),
        (
            with(
                "messages",
                json!([{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]),
            ),
            400,
            "invalid_request_error",
            "cannot continue",
        ),
        (with("tool_choice", json!({"type": "some"})), 400, "invalid_request_error", "tool_choice.type"),
        (
            with("thinking", json!({"type": "enabled", "budget_tokens": 60})),
            400,
            "invalid_request_error",
            "less than max_tokens",
        ),
    ] {
        let (found, error) = served.refusal("/v1/messages", body).await;
        let message = error["error"]["message"].as_str().unwrap();
        assert_eq!(
            (found, error["error"]["type"].as_str().unwrap(), &error["type"]),
            (status, kind, &json!("error")),
            "{message}"
        );
        assert!(message.contains(words), "\"{words}\" is not in: {message}");
    }
}
