//! Many clients at once, not all of them polite.

mod common;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use common::{Served, demo};
use qwill_server::Options;
use serde_json::{Value, json};

const CLIENTS: usize = 64;
/// Requests before memory is looked at.
const WARM_UP: usize = 80;
const KEY: &str = "key";

/// What a client does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Manner {
    Whole,
    Streamed,
    Slow,
    HangsUp,
    BrokenJson,
    WrongKey,
    UnknownField,
    /// A megabyte.
    Huge,
}

impl Manner {
    fn of(i: usize) -> Self {
        match i % 20 {
            // An early one only: what cuts it into tokens keeps its memory for the next such text.
            _ if i == 7 => Self::Huge,
            0 | 10 => Self::HangsUp,
            1 => Self::BrokenJson,
            2 => Self::WrongKey,
            3 => Self::UnknownField,
            4 => Self::Slow,
            even if even % 2 == 0 => Self::Streamed,
            _ => Self::Whole,
        }
    }

    fn wanted(self) -> u16 {
        match self {
            Self::Whole | Self::Streamed | Self::Slow | Self::HangsUp => 200,
            Self::BrokenJson | Self::UnknownField | Self::Huge => 400,
            Self::WrongKey => 401,
        }
    }
}

fn body(i: usize) -> Value {
    let words = ["red", "green", "blue", "one", "two", "three", "four"];
    let said: Vec<&str> = (0..1 + i * 7 % 60).map(|word| words[(i + word) % words.len()]).collect();
    json!({
        "messages": [{"role": "user", "content": said.join(" ")}],
        "max_tokens": 4 + i * 11 % 40,
        "seed": i,
        "enable_thinking": false,
    })
}

/// Asks once, and checks what comes; how long its first byte took.
async fn ask(served: &Served, i: usize) -> (Manner, Duration) {
    let manner = Manner::of(i);
    let mut body = body(i);
    body["stream"] = json!(matches!(manner, Manner::Streamed | Manner::Slow | Manner::HangsUp));
    match manner {
        Manner::UnknownField => body["wish"] = json!(1),
        Manner::Huge => body["messages"][0]["content"] = "many words ".repeat(100_000).into(),
        // It would go on for long.
        Manner::HangsUp => body = long(i),
        _ => {}
    }
    let url = format!("{}/v1/completions", served.base);
    let url = if manner == Manner::HangsUp { url } else { url.replace("completions", "chat/completions") };
    let text = if manner == Manner::BrokenJson { "{\"messages\": [".to_owned() } else { body.to_string() };
    let key = if manner == Manner::WrongKey { "other" } else { KEY };
    let start = Instant::now();
    let mut response = served.client.post(url).bearer_auth(key).body(text).send().await.unwrap();
    let took = start.elapsed();
    assert_eq!(response.status().as_u16(), manner.wanted(), "{i} {manner:?}");
    match manner {
        Manner::HangsUp => {
            for _ in 0..3 {
                response.chunk().await.unwrap().unwrap();
            }
        }
        Manner::Slow => {
            let mut all = Vec::new();
            while let Some(chunk) = response.chunk().await.unwrap() {
                all.extend(chunk);
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            assert!(all.ends_with(b"data: [DONE]\n\n"));
        }
        Manner::Streamed => assert!(response.text().await.unwrap().ends_with("data: [DONE]\n\n")),
        Manner::Whole => {
            let whole: Value = response.json().await.unwrap();
            assert!(whole["choices"][0]["finish_reason"].is_string(), "{whole}");
        }
        Manner::BrokenJson | Manner::WrongKey | Manner::UnknownField | Manner::Huge => {
            let error: Value = response.json().await.unwrap();
            assert!(error["error"]["message"].is_string(), "{error}");
        }
    }
    (manner, took)
}

fn long(seed: usize) -> Value {
    json!({"prompt": "Once", "max_tokens": 800, "seed": seed, "temperature": 1, "logit_bias": {"258": -100}, "stream": true})
}

/// These requests of all manners, by all clients at once.
async fn storm(served: &Arc<Served>, requests: Range<usize>) -> BTreeMap<Manner, usize> {
    let (next, end) = (Arc::new(AtomicUsize::new(requests.start)), requests.end);
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let (served, next) = (served.clone(), next.clone());
            tokio::spawn(async move {
                let mut done = Vec::new();
                loop {
                    let i = next.fetch_add(1, Ordering::Relaxed);
                    if i >= end {
                        return done;
                    }
                    done.push(ask(&served, i).await.0);
                }
            })
        })
        .collect();
    let mut counts = BTreeMap::new();
    for client in clients {
        for manner in client.await.unwrap() {
            *counts.entry(manner).or_default() += 1;
        }
    }
    counts
}

/// Times to the first piece of equal requests that all clients send at once.
async fn first_tokens(served: &Arc<Served>) -> Vec<Duration> {
    let clients: Vec<_> = (0..CLIENTS)
        .map(|i| {
            let served = served.clone();
            tokio::spawn(async move {
                let body = json!({"prompt": format!("{i} is a number"), "max_tokens": 8, "logit_bias": {"258": -100}, "stream": true});
                let start = Instant::now();
                let request = served.client.post(format!("{}/v1/completions", served.base)).bearer_auth(KEY).json(&body);
                let mut response = request.send().await.unwrap();
                response.chunk().await.unwrap().unwrap();
                let took = start.elapsed();
                assert!(response.text().await.unwrap().ends_with("data: [DONE]\n\n"));
                took
            })
        })
        .collect();
    let mut times = Vec::new();
    for client in clients {
        times.push(client.await.unwrap());
    }
    times
}

/// Waits until nothing runs any more.
async fn settle(served: &Served) {
    let start = Instant::now();
    loop {
        let props: Value = served.get("/props").bearer_auth(KEY).send().await.unwrap().json().await.unwrap();
        if props["models"][0]["running"] == 0 {
            return;
        }
        assert!(start.elapsed() < Duration::from_secs(20), "something still runs: {props}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Megabytes that the process has.
fn resident_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok()).map_or(0.0, |kb| kb / 1e3)
}

async fn run(n: usize) {
    let options = Options { keys: vec![KEY.into()], ..Options::default() };
    let served = Arc::new(Served::new(vec![demo()], options).await);
    let empty = resident_mb();
    // Whatever is kept from now on was kept once.
    storm(&served, 0..WARM_UP).await;
    settle(&served).await;
    let (before, start) = (resident_mb(), Instant::now());
    let counts = storm(&served, WARM_UP..WARM_UP + n).await;
    settle(&served).await;
    let (after, took) = (resident_mb(), start.elapsed());
    println!(
        "{n} requests in {took:.1?}: {counts:?}; {empty:.0} MB at the start, {before:.0} MB before, {after:.0} MB behind"
    );
    assert_eq!(counts.values().sum::<usize>(), n);
    assert!(counts[&Manner::HangsUp] >= n / 10);
    assert!(after - before < 48.0, "{before:.0} MB became {after:.0} MB");
    // Twice, since what else the machine does counts, too.
    let mut times = first_tokens(&served).await;
    times.extend(first_tokens(&served).await);
    times.sort();
    let (median, late) = (times[times.len() / 2], times[times.len() * 95 / 100]);
    println!("first tokens: {median:.2?} in the median, {late:.2?} at the 95th percentile");
    assert!(late <= 3 * median, "{times:?}");
    // All pages and all slots are there again: a text that fills the context, beside seven others.
    let full = json!({"prompt": "x ".repeat(400), "max_tokens": 2000, "logit_bias": {"258": -100}});
    let request = served.post("/v1/completions", &full).bearer_auth(KEY).send();
    let others = first_tokens(&served);
    let (full, _) = tokio::join!(request, others);
    let full: Value = full.unwrap().json().await.unwrap();
    assert_eq!(full["choices"][0]["finish_reason"], "length", "{full}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_of_all_manners_get_what_is_theirs() {
    run(100).await;
}

/// The long form: `cargo nextest run -p qwill-server --test load --run-ignored only --no-capture`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes"]
async fn two_thousand_requests() {
    run(2000).await;
}
