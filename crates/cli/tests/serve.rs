//! `qwill serve`, from its start to its end.
#![cfg(unix)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};

/// What the server answers on a connection of its own.
fn asked(address: &str, head: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let length = body.len();
    let request =
        format!("{head}\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn it_says_where_it_is_answers_and_ends_when_it_is_told_to() {
    let keys =
        std::path::PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("keys-{}", std::process::id()));
    std::fs::write(&keys, "one\n\ntwo\n").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_qwill"));
    command
        .args(["serve", "-m", "small=demo", "--port", "0", "--api-key-file"])
        .arg(&keys)
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let address = lines.find_map(|line| Some(line.strip_prefix("small at http://")?.to_owned())).unwrap();
    std::fs::remove_file(&keys).unwrap();

    assert!(asked(&address, "GET /health HTTP/1.1", "").starts_with("HTTP/1.1 200"));
    // As curl sends what it is given with -d.
    let head = "POST /v1/chat/completions HTTP/1.1\r\ncontent-type: application/x-www-form-urlencoded";
    let body = r#"{"messages": [{"role": "user", "content": "Hello!"}], "max_tokens": 20, "stream": true}"#;
    assert!(asked(&address, head, body).starts_with("HTTP/1.1 401"));
    let answer = asked(&address, &format!("{head}\r\nauthorization: Bearer two"), body);
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("data: [DONE]"), "{answer}");

    assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
    assert!(child.wait().unwrap().success());
    assert!(TcpStream::connect(&address).is_err());
}
