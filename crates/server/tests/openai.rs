//! OpenAI's interface over real sockets.

mod common;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use common::{Served, demo, scripted, scripted_thinker};
use qwill_server::Options;
use serde_json::{Value, json};

fn hello(more: Value) -> Value {
    let mut body = json!({
        "model": "demo",
        "messages": [{"role": "user", "content": "What colour is the sky?"}],
        "temperature": 0,
        "max_tokens": 60,
        "chat_template_kwargs": {"enable_thinking": false},
    });
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

/// Chunks of a stream that ends as it should.
async fn chunks(served: &Served, path: &str, body: Value) -> Vec<Value> {
    let mut events = served.events(path, body).await;
    assert_eq!(events.pop().unwrap().1, "[DONE]");
    events.iter().map(|(_, data)| serde_json::from_str(data).unwrap()).collect()
}

/// The texts of a choice's deltas, one behind the other.
fn joined(chunks: &[Value], index: usize, field: &str) -> String {
    let choices = chunks.iter().flat_map(|chunk| chunk["choices"].as_array().unwrap());
    let own = choices.filter(|choice| choice["index"] == index);
    own.filter_map(|choice| choice.pointer(field).and_then(Value::as_str)).collect()
}

#[tokio::test]
async fn chats_and_completions() {
    let served = Served::new(vec![demo()], Options::default()).await;
    let whole = served.ask("/v1/chat/completions", hello(json!({}))).await;
    assert_eq!((&whole["object"], &whole["model"]), (&json!("chat.completion"), &json!("demo")));
    let choice = &whole["choices"][0];
    let text = choice["message"]["content"].as_str().unwrap().to_owned();
    assert!(text.contains("blue"), "{whole}");
    assert_eq!((&choice["finish_reason"], &choice["logprobs"]), (&json!("stop"), &Value::Null));
    let usage = &whole["usage"];
    let n_tokens = usage["completion_tokens"].as_u64().unwrap();
    assert_eq!(usage["total_tokens"], usage["prompt_tokens"].as_u64().unwrap() + n_tokens);

    // A stream says the same, with log probabilities of each token but the end, which has none.
    let more = json!({"stream": true, "stream_options": {"include_usage": true}, "logprobs": true, "top_logprobs": 2});
    let told = chunks(&served, "/v1/chat/completions", hello(more)).await;
    assert_eq!(joined(&told, 0, "/delta/content"), text);
    assert_eq!(told[0]["choices"][0]["delta"], json!({"role": "assistant", "content": ""}));
    assert!(
        told.iter().all(|chunk| chunk["object"] == "chat.completion.chunk" && chunk["id"] == told[0]["id"])
    );
    let (last, end) = (&told[told.len() - 1], &told[told.len() - 2]);
    assert_eq!((&last["choices"], &last["usage"]["completion_tokens"]), (&json!([]), &json!(n_tokens)));
    assert_eq!((&end["choices"][0]["finish_reason"], &end["usage"]), (&json!("stop"), &Value::Null));
    let logprobs =
        told.iter().filter_map(|chunk| chunk.pointer("/choices/0/logprobs/content")?.as_array()).flatten();
    assert_eq!(logprobs.clone().count() as u64, n_tokens - 1);
    assert!(logprobs.clone().all(|token| token["top_logprobs"].as_array().unwrap().len() == 2));

    // Several choices, a stop string, a form, thoughts, fields that official clients send.
    let more = json!({"n": 2, "seed": 7, "temperature": 1, "stop": ["zzz"], "user": "me", "service_tier": "auto", "store": false});
    let both = served.ask("/v1/chat/completions", hello(more.clone())).await;
    let mut more = more;
    more["stream"] = json!(true);
    let told = chunks(&served, "/v1/chat/completions", hello(more)).await;
    for index in 0..2 {
        assert_eq!(joined(&told, index, "/delta/content"), both["choices"][index]["message"]["content"]);
    }
    let stopped = served.ask("/v1/chat/completions", hello(json!({"stop": "blue"}))).await;
    assert_eq!(stopped["choices"][0]["message"]["content"], text.split("blue").next().unwrap());
    let schema = json!({"type": "object", "properties": {"sky": {"enum": ["blue", "grey"]}}, "required": ["sky"], "additionalProperties": false});
    let format =
        json!({"type": "json_schema", "json_schema": {"name": "sky", "schema": schema, "strict": true}});
    let formed = served.ask("/v1/chat/completions", hello(json!({"response_format": format}))).await;
    let form: Value =
        serde_json::from_str(formed["choices"][0]["message"]["content"].as_str().unwrap()).unwrap();
    assert!(["blue", "grey"].contains(&form["sky"].as_str().unwrap()));
    let thinking = json!({"chat_template_kwargs": {"enable_thinking": true}, "max_tokens": 200});
    let thought = served.ask("/v1/chat/completions", hello(thinking)).await;
    assert!(!thought["choices"][0]["message"]["reasoning_content"].as_str().unwrap().is_empty(), "{thought}");
    assert!(thought["usage"]["completion_tokens_details"]["reasoning_tokens"].as_u64().unwrap() > 0);

    // Completions of a text, of several, of tokens.
    let body = json!({"prompt": "<|im_start|>user\nHi", "max_tokens": 5, "temperature": 0, "logprobs": 1, "echo": true});
    let whole = served.ask("/v1/completions", body.clone()).await;
    let text = whole["choices"][0]["text"].as_str().unwrap();
    assert!(text.starts_with("<|im_start|>user\nHi"), "{whole}");
    let mut streaming = body.clone();
    streaming["stream"] = json!(true);
    let told = chunks(&served, "/v1/completions", streaming).await;
    assert_eq!(joined(&told, 0, "/text"), text);
    let tokens = |whole: &Value| whole["choices"][0]["logprobs"]["tokens"].as_array().unwrap().len();
    let streamed: usize =
        told.iter().filter(|chunk| !chunk["choices"][0]["logprobs"].is_null()).map(tokens).sum();
    assert_eq!(streamed, tokens(&whole));
    let ids = served.ask("/tokenize", json!({"content": "<|im_start|>user\nHi"})).await["tokens"].clone();
    assert_eq!(served.ask("/detokenize", json!({"tokens": ids})).await["content"], "<|im_start|>user\nHi");
    let mut by_ids = body;
    by_ids["prompt"] = json!([ids, ids]);
    let twice = served.ask("/v1/completions", by_ids).await;
    assert_eq!([&twice["choices"][0]["text"], &twice["choices"][1]["text"]], [text, text]);
    assert_eq!(twice["usage"]["prompt_tokens"], 2 * ids.as_array().unwrap().len());

    // Embeddings in both encodings, and fewer dimensions.
    let body = json!({"model": "demo", "input": ["one", "two"], "encoding_format": "float"});
    let floats = served.ask("/v1/embeddings", body).await;
    let vector: Vec<f32> = serde_json::from_value(floats["data"][1]["embedding"].clone()).unwrap();
    let body = json!({"model": "demo", "input": "two", "encoding_format": "base64"});
    let packed = served.ask("/v1/embeddings", body).await["data"][0]["embedding"].clone();
    let bytes = BASE64_STANDARD.decode(packed.as_str().unwrap()).unwrap();
    let unpacked = bytes.chunks(4).map(|four| f32::from_le_bytes(four.try_into().unwrap()));
    assert!(vector.iter().zip(unpacked).all(|(a, b)| (a - b).abs() < 1e-3));
    let cut = served.ask("/v1/embeddings", json!({"input": "two", "dimensions": 8})).await;
    assert_eq!(cut["data"][0]["embedding"].as_array().unwrap().len(), 8);

    // What is qwill's own.
    let decision = served
        .ask("/v1/decisions", json!({"input": "Hello!", "questions": [{"type": "predicate", "instructions": "It is a greeting."}]}))
        .await;
    assert!(decision["answers"][0]["probability"].is_number(), "{decision}");
    let question = json!({"type": "choice", "instructions": "Which tone?", "criteria": {"calm": null, "angry": "Uses strong words."}});
    let reply = served
        .ask(
            "/v1/systemone",
            json!({"model": "demo", "state": {"said": "Hello!"}, "questions": {"tone": question}}),
        )
        .await;
    let tone = &reply["answers"]["tone"];
    assert!(
        reply["model"] == "demo" && tone["probabilities"][tone["choice"].as_str().unwrap()].is_number(),
        "{reply}"
    );
    let (status, error) =
        served.refusal("/v1/systemone", json!({"state": "x", "questions": {"a": {"type": "guess"}}})).await;
    assert!(status == 400 && error.to_string().contains("questions.a"), "{error}");
    let prompt =
        served.ask("/apply-template", json!({"messages": [{"role": "user", "content": "Hi"}]})).await;
    assert!(prompt["prompt"].as_str().unwrap().contains("<|im_start|>user\nHi"));
    let metrics = served.get("/metrics").send().await.unwrap().text().await.unwrap();
    assert!(
        metrics.contains("qwill_answers_total{route=\"/v1/chat/completions\",status=\"200\"}"),
        "{metrics}"
    );
    assert!(
        metrics.contains("qwill_running{model=\"demo\"} 0")
            && metrics.contains("qwill_loaded{model=\"demo\"} 1")
    );

    // What is wrong is named.
    for (path, body, status, words) in [
        ("/v1/chat/completions", hello(json!({"temp": 1})), 400, "\"temp\" is not known"),
        ("/v1/chat/completions", hello(json!({"modalities": ["audio"]})), 400, "modalities is [\"audio\"]"),
        ("/v1/chat/completions", hello(json!({"model": "gpt-9"})), 404, "no model \"gpt-9\""),
        ("/v1/chat/completions", hello(json!({"prompt": "x"})), 400, "/v1/completions"),
        ("/v1/chat/completions", hello(json!({"stream": "yes"})), 400, "stream must be true or false"),
        (
            "/v1/chat/completions",
            hello(json!({"messages": [{"role": "user", "content": "x ".repeat(3000)}]})),
            400,
            "the context holds 1024",
        ),
        ("/v1/chat/completions", json!({}), 400, "no messages"),
        ("/v1/completions", json!({"prompt": []}), 400, "prompt has 0 entries"),
        ("/v1/completions", json!({"prompt": "x", "best_of": 3}), 400, "best_of must be n"),
        ("/v1/embeddings", json!({"input": 7}), 400, "input must be a text"),
        ("/v1/rerank", json!({"query": "x", "documents": []}), 400, "documents has 0 entries"),
        ("/v1/nothing", json!({}), 404, "no route /v1/nothing"),
        ("/health", json!({}), 405, "does not know POST"),
    ] {
        let (found, error) = served.refusal(path, body.clone()).await;
        let message = error["error"]["message"].as_str().unwrap();
        assert!(found == status && message.contains(words), "{path} {body}: {found} {message}");
    }
    let broken = served
        .client
        .post(format!("{}/v1/chat/completions", served.base))
        .body("{\"a\": ")
        .send()
        .await
        .unwrap();
    assert_eq!(broken.status(), 400);
}

#[tokio::test]
async fn tools_and_thoughts_are_told_in_parts() {
    let call =
        "Well.\n<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": \"Oslo\"}}\n</tool_call>";
    let models = vec![scripted("caller", call), scripted_thinker("thinker", "hm, so\n</think>\n\nYes.")];
    let served = Served::new(models, Options::default()).await;
    let parameters = json!({"type": "object", "properties": {"city": {"type": "string"}}});
    let tools = json!([{"type": "function", "function": {"name": "weather", "parameters": parameters}}]);
    let mut body = json!({"model": "caller", "messages": [{"role": "user", "content": "Oslo?"}], "tools": tools, "temperature": 0});
    let whole = served.ask("/v1/chat/completions", body.clone()).await;
    let (choice, call) = (&whole["choices"][0], &whole["choices"][0]["message"]["tool_calls"][0]);
    assert_eq!(
        (&choice["finish_reason"], &call["type"]),
        (&json!("tool_calls"), &json!("function")),
        "{whole}"
    );
    assert_eq!(call["function"], json!({"name": "weather", "arguments": "{\"city\": \"Oslo\"}"}));
    assert!(call["id"].as_str().unwrap().starts_with("call_"));

    body["stream"] = json!(true);
    let told = chunks(&served, "/v1/chat/completions", body).await;
    assert_eq!(joined(&told, 0, "/delta/content"), choice["message"]["content"].as_str().unwrap());
    assert_eq!(joined(&told, 0, "/delta/tool_calls/0/function/name"), "weather");
    assert_eq!(joined(&told, 0, "/delta/tool_calls/0/function/arguments"), "{\"city\": \"Oslo\"}");
    assert_eq!(joined(&told, 0, "/finish_reason"), "tool_calls");

    let body = json!({"model": "thinker", "messages": [{"role": "user", "content": "So?"}], "temperature": 0, "stream": true});
    let told = chunks(&served, "/v1/chat/completions", body).await;
    assert_eq!(joined(&told, 0, "/delta/reasoning_content").trim(), "hm, so");
    assert_eq!(joined(&told, 0, "/delta/content").trim(), "Yes.");
    let models: Value = served.get("/v1/models").send().await.unwrap().json().await.unwrap();
    assert_eq!([&models["data"][0]["id"], &models["data"][1]["id"]], ["caller", "thinker"]);
}
