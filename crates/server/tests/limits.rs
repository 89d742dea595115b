//! Who may ask, how much, and how a server begins and ends.

mod common;

use std::time::Duration;

use common::{Served, demo, first_piece, scripted};
use qwill_server::{LoadAt, ModelSource, Options, Server};
use serde_json::{Value, json};

fn long() -> Value {
    json!({
        "prompt": "<|im_start|>user\nTell me a story.<|im_end|>\n<|im_start|>assistant\n",
        "max_tokens": 900, "temperature": 1, "seed": 1, "stream": true,
        // it never ends by itself
        "logit_bias": {"258": -100},
    })
}

async fn running(served: &Served) -> u64 {
    let props: Value = served.get("/props").send().await.unwrap().json().await.unwrap();
    props["models"].as_array().unwrap().iter().map(|model| model["running"].as_u64().unwrap()).sum()
}

/// Waits until nothing runs.
async fn quiet(served: &Served) {
    for _ in 0..200 {
        if running(served).await == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("something still runs");
}

#[tokio::test]
async fn keys_origins_and_sizes() {
    let options = Options {
        keys: vec!["one".into(), "two".into()],
        origins: vec!["https://good.example".into()],
        max_body_bytes: 1000,
        max_prompt_tokens: Some(60),
        ..Options::default()
    };
    let served = Served::new(vec![scripted("said", "Hello.")], options).await;
    let body = json!({"messages": [{"role": "user", "content": "Hi"}]});
    let path = "/v1/chat/completions";
    let status = async |request: reqwest::RequestBuilder| request.send().await.unwrap().status().as_u16();
    assert_eq!(status(served.post(path, &body)).await, 401);
    assert_eq!(status(served.post(path, &body).bearer_auth("three")).await, 401);
    assert_eq!(status(served.post(path, &body).bearer_auth("two")).await, 200);
    assert_eq!(status(served.post(path, &body).header("x-api-key", "one")).await, 200);
    assert_eq!(status(served.get("/health")).await, 200);
    let keyed = |body: &Value| served.post(path, body).bearer_auth("one");
    assert_eq!(status(keyed(&body).header("origin", "https://bad.example")).await, 403);
    let good = keyed(&body).header("origin", "https://good.example").send().await.unwrap();
    assert_eq!(
        (good.status().as_u16(), &good.headers()["access-control-allow-origin"]),
        (200, &"https://good.example".parse().unwrap())
    );
    assert_eq!(status(keyed(&body).header("origin", &served.base)).await, 200);
    let rebound = keyed(&body).header("origin", "http://bad.example").header("host", "bad.example");
    assert_eq!(status(rebound).await, 403);
    let preflight = served.client.request(reqwest::Method::OPTIONS, format!("{}{path}", served.base));
    let preflight =
        preflight.header("origin", "https://good.example").header("access-control-request-method", "POST");
    assert_eq!(status(preflight).await, 200);
    let of = |text: String| json!({"messages": [{"role": "user", "content": text}]});
    assert_eq!(status(keyed(&of("x".repeat(2000)))).await, 413);
    let long = keyed(&of("Hi ".repeat(30))).send().await.unwrap();
    let error: Value = long.json().await.unwrap();
    assert_eq!(error["error"]["code"], "context_length_exceeded", "{error}");
    assert!(error["error"]["message"].as_str().unwrap().contains("this server allows 60"));
}

#[tokio::test]
async fn clients_that_leave_free_their_place_and_others_wait_for_it() {
    let options = Options { max_requests: 1, request_timeout: Duration::from_secs(20), ..Options::default() };
    let served = Served::new(vec![demo()], options).await;
    let response = served.post("/v1/completions", &long()).send().await.unwrap();
    let (response, _) = first_piece(response).await;
    assert_eq!(running(&served).await, 1);
    let busy = served.post("/v1/completions", &long()).send().await.unwrap();
    assert_eq!(busy.status(), 429);
    let seconds: u64 = busy.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!(seconds >= 1);
    let error: Value = busy.json().await.unwrap();
    assert_eq!(error["error"]["code"], "rate_limit_exceeded");
    drop(response);
    quiet(&served).await;
    // One that waits for a whole answer leaves, too.
    let mut whole = long();
    whole["stream"] = json!(false);
    let request = served.post("/v1/completions", &whole).timeout(Duration::from_millis(300)).send().await;
    assert!(request.unwrap_err().is_timeout());
    quiet(&served).await;
    let metrics = served.get("/metrics").send().await.unwrap().text().await.unwrap();
    assert!(metrics.contains("qwill_broken_off_total{model=\"demo\"} 2"), "{metrics}");
}

#[tokio::test]
async fn a_request_has_its_time() {
    let options = Options { request_timeout: Duration::from_millis(300), ..Options::default() };
    let served = Served::new(vec![demo()], options).await;
    // loads it
    served.ask("/tokenize", json!({"content": "x"})).await;
    let text = served.streamed("/v1/completions", long()).await;
    let last = common::events(&text).pop().unwrap().1;
    let last: Value = serde_json::from_str(&last).unwrap();
    assert_eq!(last["error"]["code"], "timeout", "{text}");
    let mut whole = long();
    whole["stream"] = json!(false);
    assert_eq!(served.refusal("/v1/completions", whole).await.0, 504);
}

#[tokio::test]
async fn the_end_waits_for_replies_and_then_cuts_them() {
    let options = Options { drain_timeout: Duration::from_millis(400), ..Options::default() };
    let mut served = Served::new(vec![demo()], options).await;
    served.ask("/tokenize", json!({"content": "x"})).await;
    let response = served.post("/v1/completions", &long()).send().await.unwrap();
    let (response, first) = first_piece(response).await;
    served.end();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(served.get("/health").send().await.unwrap().status(), 503);
    let text = first + &response.text().await.unwrap();
    assert!(text.contains("\"finish_reason\":\"length\"") && text.ends_with("data: [DONE]\n\n"), "{text}");
    tokio::time::timeout(Duration::from_secs(5), &mut served.running).await.unwrap().unwrap().unwrap();
    assert!(served.get("/health").send().await.is_err());
}

#[tokio::test]
async fn models_are_put_away_for_others() {
    let models = vec![scripted("a", "One."), scripted("b", "Two."), scripted("c", "Three.")];
    let served = Served::new(models, Options { max_loaded: Some(2), ..Options::default() }).await;
    let say = async |name: &str| {
        let body = json!({"model": name, "messages": [{"role": "user", "content": "?"}], "temperature": 0});
        let reply = served.ask("/v1/chat/completions", body).await;
        reply["choices"][0]["message"]["content"].as_str().unwrap().to_owned()
    };
    let loaded = async || {
        let props: Value = served.get("/props").send().await.unwrap().json().await.unwrap();
        let models = props["models"].as_array().unwrap().clone();
        models.iter().map(|model| model["loaded"].as_bool().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!([say("a").await, say("b").await], ["One.", "Two."]);
    assert_eq!(say("a").await, "One.");
    assert_eq!(say("c").await, "Three.");
    assert_eq!(loaded().await, [true, false, true]);
    // All at once: those that find no room wait for it.
    let all = tokio::join!(say("b"), say("a"), say("c"));
    assert_eq!(all, ("Two.".into(), "One.".into(), "Three.".into()));
}

#[test]
fn servers_that_make_no_sense_are_refused() {
    let model = |name: &str| ModelSource::new(name, LoadAt::FirstUse, || Err("none".into()));
    let refusal = |models, origin: &str| {
        let options = Options { origins: vec![origin.into()], ..Options::default() };
        Server::new(models, options).err().map(|error| error.to_string()).unwrap_or_default()
    };
    assert!(refusal(vec![], "*").contains("needs a model"));
    assert!(refusal(vec![model("a"), model("a")], "*").contains("called \"a\""));
    assert!(refusal(vec![model("a")], "example.org").contains("no origin"));
    assert_eq!(refusal(vec![model("a")], "http://example.org:80"), "");
}
