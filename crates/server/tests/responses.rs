//! OpenAI's responses over real sockets.

mod common;

use common::{Served, demo, scripted, scripted_thinker};
use qwill_server::Options;
use serde_json::{Value, json};

/// Without what differs each time.
fn comparable(response: &Value) -> Value {
    let mut response = response.clone();
    for name in ["id", "created_at", "completed_at", "usage"] {
        response[name] = Value::Null;
    }
    for item in response["output"].as_array_mut().unwrap() {
        for name in ["id", "call_id"] {
            item.as_object_mut().unwrap().remove(name);
        }
    }
    response
}

/// An answer, which streams the same; each item is told as it ends up.
async fn both(served: &Served, mut body: Value) -> Value {
    let whole = served.ask("/v1/responses", body.clone()).await;
    body["stream"] = json!(true);
    let (mut items, mut texts, mut last) = (Vec::new(), Vec::new(), Value::Null);
    for (number, (name, data)) in served.events("/v1/responses", body).await.into_iter().enumerate() {
        let event: Value = serde_json::from_str(&data).unwrap();
        assert_eq!((&event["type"], &event["sequence_number"]), (&json!(name), &json!(number)));
        match name.as_str() {
            "response.output_item.added" => {
                assert_eq!(event["output_index"], items.len());
                items.push(event["item"].clone());
                texts.push(String::new());
            }
            "response.output_item.done" => {
                let item = items.last_mut().unwrap();
                assert_eq!(item["id"], event["item"]["id"]);
                *item = event["item"].clone();
                let text = item.pointer("/content/0/text").or(item.get("arguments")).unwrap();
                assert_eq!(text, texts.last().unwrap());
            }
            delta if delta.ends_with(".delta") => {
                texts.last_mut().unwrap().push_str(event["delta"].as_str().unwrap());
            }
            _ => {}
        }
        last = event;
    }
    assert_eq!(last["type"], format!("response.{}", whole["status"].as_str().unwrap()));
    assert_eq!(comparable(&last["response"]), comparable(&whole));
    assert_eq!(last["response"]["output"].as_array().unwrap().len(), items.len());
    whole
}

#[tokio::test]
async fn responses_whole_and_in_parts() {
    let call =
        "Well.\n<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": \"Oslo\"}}\n</tool_call>";
    let models =
        vec![demo(), scripted("caller", call), scripted_thinker("thinker", "hm, so\n</think>\n\nYes.")];
    let served = Served::new(models, Options::default()).await;
    let sky = json!({
        "model": "demo", "input": "What colour is the sky?", "temperature": 0, "max_output_tokens": 60,
        "reasoning": {"effort": "none"}, "store": false, "metadata": {"a": "b"},
    });
    let response = both(&served, sky.clone()).await;
    let text = &response["output"][0]["content"][0];
    assert!(text["type"] == "output_text" && text["text"].as_str().unwrap().contains("blue"), "{response}");
    assert_eq!((&response["status"], &response["metadata"]), (&json!("completed"), &json!({"a": "b"})));
    let count = served.ask("/v1/responses/input_tokens", sky.clone()).await;
    assert_eq!(count["input_tokens"], response["usage"]["input_tokens"]);
    let with = |name: &str, value: Value| {
        let mut body = sky.clone();
        body[name] = value;
        body
    };
    let short = both(&served, with("max_output_tokens", json!(2))).await;
    assert_eq!(
        (&short["status"], &short["output"][0]["status"]),
        (&json!("incomplete"), &json!("incomplete"))
    );
    let schema = json!({"type": "object", "properties": {"sky": {"enum": ["blue", "grey"]}}, "required": ["sky"], "additionalProperties": false});
    let format = json!({"format": {"type": "json_schema", "name": "sky", "schema": schema, "strict": true}});
    let formed = both(&served, with("text", format)).await;
    let form: Value =
        serde_json::from_str(formed["output"][0]["content"][0]["text"].as_str().unwrap()).unwrap();
    assert!(form["sky"].is_string());

    let tools = json!([{"type": "function", "name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}, "strict": null}]);
    let body = json!({"model": "caller", "input": [{"role": "user", "content": "Oslo?"}], "temperature": 0, "tools": tools});
    let called = both(&served, body).await;
    let call = called["output"].as_array().unwrap().last().unwrap();
    assert_eq!(
        (&call["type"], &call["name"], &call["arguments"]),
        (&json!("function_call"), &json!("weather"), &json!("{\"city\": \"Oslo\"}"))
    );
    // The conversation goes on with all that was told.
    let mut input = vec![json!({"role": "user", "content": "Oslo?"})];
    input.extend(called["output"].as_array().unwrap().clone());
    input.push(json!({"type": "function_call_output", "call_id": call["call_id"], "output": "Rain."}));
    served.ask("/v1/responses", with("input", json!(input))).await;
    let thought = both(&served, json!({"model": "thinker", "input": "So?", "temperature": 0})).await;
    let kinds: Vec<_> =
        thought["output"].as_array().unwrap().iter().map(|item| item["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["reasoning", "message"]);

    for (body, words) in [
        (with("previous_response_id", json!("resp_1")), "previous_response_id is \"resp_1\""),
        (with("background", json!(true)), "background is true"),
        (with("tools", json!([{"type": "web_search"}])), "tools[0].type is \"web_search\""),
        (with("wish", json!(1)), "\"wish\" is not known"),
        (with("input", Value::Null), "input must be"),
    ] {
        let (status, error) = served.refusal("/v1/responses", body).await;
        let message = error["error"]["message"].as_str().unwrap();
        assert!(status == 400 && message.contains(words), "\"{words}\" is not in: {message}");
    }
}
