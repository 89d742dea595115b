//! `qwill batch`, killed and continued.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

const N: usize = 40;

fn scratch(name: &str) -> PathBuf {
    let path =
        PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-batch-{name}", std::process::id()));
    let _ = std::fs::remove_file(&path);
    path
}

fn batch(input: &Path, output: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_qwill"));
    command.arg("batch").args([input, output]).args(["--parallel", "4"]).stderr(Stdio::piped());
    command
}

fn answers(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

#[test]
fn a_batch_that_was_killed_goes_on() {
    let (input, output) = (scratch("in.jsonl"), scratch("out.jsonl"));
    let line = |i: usize| match i {
        3 => "{broken".to_owned(),
        4 => json!({"custom_id": "4", "method": "POST", "url": "/v1/chat/completions", "body": {"temp": 1}})
            .to_string(),
        5 => json!({"custom_id": "5", "url": "/v1/embeddings", "body": {"input": "x"}}).to_string(),
        i => {
            let body = json!({"messages": [{"role": "user", "content": format!("What is {i} + {i}?")}], "max_tokens": 20});
            json!({"custom_id": i.to_string(), "method": "POST", "url": "/v1/chat/completions", "body": body})
                .to_string()
        }
    };
    let lines: Vec<String> = (0..N).map(line).collect();
    std::fs::write(&input, lines.join("\n") + "\n\n").unwrap();

    let mut child = batch(&input, &output).spawn().unwrap();
    let start = Instant::now();
    while answers(&output).len() < 10 {
        assert!(start.elapsed() < Duration::from_secs(60), "it does nothing");
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let before = answers(&output);
    assert!(before.len() < N, "it was faster than the test");
    // As if the last write had been cut.
    let mut text = std::fs::read_to_string(&output).unwrap();
    text.push_str("{\"id\": \"batch_req_");
    std::fs::write(&output, text).unwrap();

    let done = batch(&input, &output).output().unwrap();
    let errors = String::from_utf8(done.stderr).unwrap();
    assert!(done.status.success() && errors.contains(&format!("{} were there", before.len())), "{errors}");
    let after = answers(&output);
    assert_eq!(after[..before.len()], before);
    let ids: Vec<_> = after.iter().map(|answer| answer["custom_id"].clone()).collect();
    let wanted: Vec<_> = (0..N).map(|i| if i == 3 { Value::Null } else { json!(i.to_string()) }).collect();
    assert_eq!(ids, wanted);
    assert_eq!(after[0]["response"]["status_code"], 200, "{}", after[0]);
    assert!(after[0]["response"]["body"]["choices"][0]["message"]["content"].is_string());
    assert!(after[3]["error"]["message"].as_str().unwrap().contains("no JSON object"));
    assert_eq!(after[4]["response"]["status_code"], 400);
    assert!(after[5]["response"]["body"]["data"][0]["embedding"].is_array());

    // Done is done, and other requests' answers are not mixed with these.
    let again = batch(&input, &output).output().unwrap();
    assert!(
        String::from_utf8(again.stderr)
            .unwrap()
            .contains(&format!("0 answered, 0 of them failed; {N} were there"))
    );
    std::fs::write(&input, lines[1..].join("\n")).unwrap();
    let refused = batch(&input, &output).output().unwrap();
    let errors = String::from_utf8(refused.stderr).unwrap();
    assert!(
        !refused.status.success() && errors.contains("line 1 answers \"0\", but the request there is \"1\""),
        "{errors}"
    );
}
