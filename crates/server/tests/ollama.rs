//! Ollama's interface over real sockets.

mod common;

use common::{Served, demo, first_piece, scripted, scripted_thinker};
use qwill_server::Options;
use serde_json::{Value, json};

async fn lines(served: &Served, path: &str, body: Value) -> Vec<Value> {
    let text = served.streamed(path, body).await;
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn joined(lines: &[Value], field: &str) -> String {
    lines.iter().filter_map(|line| line.pointer(field)?.as_str()).collect()
}

#[tokio::test]
async fn chats_prompts_and_models() {
    let call =
        "Well.\n<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": \"Oslo\"}}\n</tool_call>";
    let models =
        vec![demo(), scripted("caller", call), scripted_thinker("thinker", "hm, so\n</think>\n\nYes.")];
    let served = Served::new(models, Options::default()).await;
    let sky = json!({
        "model": "demo:latest", "think": false, "options": {"temperature": 0, "num_predict": 60, "num_ctx": 1024, "num_thread": 2},
        "messages": [{"role": "user", "content": "What colour is the sky?"}],
    });
    let told = lines(&served, "/api/chat", sky.clone()).await;
    let (last, before) = told.split_last().unwrap();
    assert!(before.iter().all(|line| line["done"] == false && line["model"] == "demo"));
    assert_eq!((&last["done"], &last["done_reason"]), (&json!(true), &json!("stop")));
    for field in [
        "total_duration",
        "load_duration",
        "prompt_eval_count",
        "prompt_eval_duration",
        "eval_count",
        "eval_duration",
    ] {
        assert!(last[field].as_u64().unwrap() > 0, "{field} {last}");
    }
    assert!(last["created_at"].as_str().unwrap().ends_with('Z'));
    let text = joined(&told, "/message/content");
    assert!(text.contains("blue"), "{text}");
    let mut whole = sky.clone();
    whole["stream"] = json!(false);
    assert_eq!(
        served.ask("/api/chat", whole.clone()).await["message"],
        json!({"role": "assistant", "content": text})
    );
    whole["format"] =
        json!({"type": "object", "properties": {"sky": {"enum": ["blue", "grey"]}}, "required": ["sky"]});
    let formed = served.ask("/api/chat", whole.clone()).await;
    let form: Value = serde_json::from_str(formed["message"]["content"].as_str().unwrap()).unwrap();
    assert!(form["sky"].is_string());

    let tools = json!([{"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}}]);
    let body = json!({"model": "caller", "messages": [{"role": "user", "content": "Oslo?"}], "tools": tools, "options": {"temperature": 0}});
    let told = lines(&served, "/api/chat", body).await;
    let call = told.iter().find_map(|line| line["message"]["tool_calls"][0]["function"].as_object()).unwrap();
    assert_eq!((&call["name"], &call["arguments"]), (&json!("weather"), &json!({"city": "Oslo"})));
    let body = json!({"model": "thinker", "messages": [{"role": "user", "content": "So?"}], "options": {"temperature": 0}});
    let told = lines(&served, "/api/chat", body).await;
    assert_eq!(joined(&told, "/message/thinking").trim(), "hm, so");
    assert_eq!(joined(&told, "/message/content").trim(), "Yes.");

    let body = json!({"model": "demo", "prompt": "What colour is the sky?", "think": false, "options": {"temperature": 0, "num_predict": 60}});
    let told = lines(&served, "/api/generate", body.clone()).await;
    assert_eq!(joined(&told, "/response"), text);
    let mut raw = body;
    raw["raw"] = json!(true);
    raw["stream"] = json!(false);
    assert!(served.ask("/api/generate", raw).await["response"].is_string());

    let embedded =
        served.ask("/api/embed", json!({"model": "demo", "input": ["one", "two"], "dimensions": 4})).await;
    assert_eq!(embedded["embeddings"][1].as_array().unwrap().len(), 4, "{embedded}");
    let long = json!({"model": "demo", "input": "x ".repeat(3000)});
    assert_eq!(served.ask("/api/embed", long.clone()).await["prompt_eval_count"], 1024);
    let mut refused = long;
    refused["truncate"] = json!(false);
    assert_eq!(served.refusal("/api/embed", refused).await.0, 400);

    let get = async |path: &str| -> Value { served.get(path).send().await.unwrap().json().await.unwrap() };
    assert_eq!(get("/api/tags").await["models"][0]["name"], "demo");
    assert!(get("/api/version").await["version"].is_string());
    let shown = served.ask("/api/show", json!({"model": "demo"})).await;
    assert_eq!(shown["model_info"]["general.architecture"], "qwen3");
    let can = shown["capabilities"].as_array().unwrap();
    assert!(["completion", "tools", "thinking"].iter().all(|what| can.contains(&json!(what))), "{can:?}");
    assert_eq!(get("/api/ps").await["models"].as_array().unwrap().len(), 3);
    let gone = json!({"model": "thinker", "messages": [], "keep_alive": 0});
    assert_eq!(served.ask("/api/chat", gone).await["done_reason"], "unload");
    let are_loaded = async |n: usize| {
        for _ in 0..100 {
            if get("/api/ps").await["models"].as_array().unwrap().len() == n {
                return true;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        false
    };
    assert!(are_loaded(2).await);
    // the same where the client goes away in the middle
    let story = json!({"model": "demo", "prompt": "Tell me a story.", "keep_alive": 0, "options": {"num_predict": 400}});
    let (response, first) = first_piece(served.post("/api/generate", &story).send().await.unwrap()).await;
    assert!(first.contains("\"done\":false"), "{first}");
    drop(response);
    assert!(are_loaded(1).await);

    let with = |name: &str, value: Value| {
        let mut body = sky.clone();
        body[name] = value;
        body
    };
    for (path, body, status, words) in [
        ("/api/chat", with("model", json!("other")), 404, "no model \"other\""),
        ("/api/chat", with("options", json!({"num_ctx": 4096})), 400, "num_ctx is 4096"),
        ("/api/chat", with("options", json!({"mirostat": 2})), 400, "mirostat is 2"),
        ("/api/chat", with("format", json!("xml")), 400, "format must be"),
        ("/api/chat", with("think", json!("hard")), 400, "think must be"),
        (
            "/api/chat",
            with("messages", json!([{"role": "user", "content": "x", "images": ["aGk="]}])),
            400,
            "messages[0].images",
        ),
        ("/api/generate", json!({"model": "demo", "prompt": "x", "context": [1]}), 400, "context is [1]"),
        ("/api/pull", json!({"model": "demo"}), 404, "no route /api/pull"),
    ] {
        let (found, error) = served.refusal(path, body).await;
        let message = error["error"].as_str().unwrap();
        assert!(found == status && message.contains(words), "{path}: {found} {message}");
    }
}
