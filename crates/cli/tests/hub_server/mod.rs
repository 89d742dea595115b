//! A hub on this machine.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;

/// A hub with one file, `a/b-GGUF/tiny-Q8_0.gguf`, that sends it slowly and whole; counts the downloads of it, not those who
/// look at its header.
pub(crate) fn start(bytes: Vec<u8>) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let requests = Arc::new(AtomicUsize::new(0));
    let counter = requests.clone();
    let digest = "c89206693aeb0c3dcd8a7c2121d8692d30286d1c06de7420c99ebcc39a98077a";
    let size = bytes.len();
    let listing = json!([{"type": "file", "path": "tiny-Q8_0.gguf", "size": size, "oid": "",
        "lfs": {"oid": digest, "size": size}}])
    .to_string();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let (listing, bytes, counter) = (listing.clone(), bytes.clone(), counter.clone());
            std::thread::spawn(move || {
                let lines = BufReader::new(&stream).lines().map_while(Result::ok);
                let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
                let body = if head[0].contains("/tree/") { listing.as_bytes() } else { &bytes };
                let length = body.len();
                let _ = write!(
                    stream,
                    "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
                );
                let is_part = head.iter().map(|line| line.to_lowercase()).any(|line| {
                    line.starts_with("range:") && line.ends_with(|last: char| last.is_ascii_digit())
                });
                if head[0].starts_with("GET /a/b-GGUF/resolve/") && !is_part {
                    counter.fetch_add(1, Ordering::Relaxed);
                }
                if head[0].starts_with("GET") {
                    for piece in body.chunks(64 << 10) {
                        let _ = stream.write_all(piece);
                        std::thread::sleep(Duration::from_millis(20));
                    }
                }
            });
        }
    });
    (url, requests)
}
