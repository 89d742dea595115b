//! Models by id, from a hub on this machine that misbehaves in every way that real ones do.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pollster::block_on;
use qwill::hub::{Hub, HubError, HubOptions};
use qwill::{Control, Inspection, LoadOptions, ModelFiles};
use sha1::Sha1;
use sha2::{Digest, Sha256};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// What a server does to a request for a file.
#[derive(Debug, Clone, Copy)]
enum Fault {
    /// Sends this many bytes of what was asked for, then closes.
    Drop(usize),
    /// Sends everything from the start.
    IgnoreRange,
    /// Answers this, with `Retry-After: 0`.
    Status(u16),
    /// Sends one byte that is not the file's.
    WrongByte,
    /// Claims that the file has grown.
    OtherSize,
    /// Sends nothing at all for a while.
    Silence,
}

#[derive(Default)]
struct Files {
    contents: HashMap<String, Vec<u8>>,
    /// Taken from the front, one a request for a file; after that all goes well.
    faults: Vec<Fault>,
    /// Overrides the answer to a request for the listing.
    listing_status: Option<u16>,
    /// Path and first byte of every file asked for, the token if there was one.
    log: Vec<String>,
    /// Address of another server, to which files are redirected.
    store: Option<String>,
}

struct Server {
    url: String,
    files: Arc<Mutex<Files>>,
}

impl Server {
    fn start(contents: &[(&str, Vec<u8>)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let contents = contents.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.clone())).collect();
        let files = Arc::new(Mutex::new(Files { contents, ..Files::default() }));
        let shared = files.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = shared.clone();
                std::thread::spawn(move || answer(&stream, &shared));
            }
        });
        Self { url, files }
    }

    fn set_faults(&self, faults: &[Fault]) {
        self.files.lock().unwrap().faults = faults.to_vec();
    }

    fn take_log(&self) -> Vec<String> {
        std::mem::take(&mut self.files.lock().unwrap().log)
    }
}

fn respond(mut stream: &TcpStream, status: u16, headers: &str, length: usize, body: &[u8]) {
    let head =
        format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nconnection: close\r\n{headers}\r\n");
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
}

fn answer(stream: &TcpStream, files: &Mutex<Files>) {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let Some(request) = lines.next() else { return };
    let (mut from, mut until, mut token) = (0, usize::MAX, String::new());
    for line in lines.take_while(|line| !line.is_empty()) {
        if let Some(range) = line.to_lowercase().strip_prefix("range: bytes=") {
            let (first, last) = range.split_once('-').unwrap();
            from = first.parse().unwrap();
            until = last.parse().map_or(usize::MAX, |last: usize| last + 1);
        } else if line.to_lowercase().starts_with("authorization:") {
            token = format!(" {line}");
        }
    }
    let mut words = request.split(' ');
    let (method, path) = (words.next().unwrap(), words.next().unwrap().to_owned());
    let mut state = files.lock().unwrap();
    let commit = format!("x-repo-commit: {COMMIT}\r\n");
    if path.starts_with("/api/models/a/b/tree/main") {
        if let Some(status) = state.listing_status {
            return respond(stream, status, "", 0, b"");
        }
        // two pages, the address of the second as a mirror would hand it on
        let (first, second): (Vec<_>, Vec<_>) =
            state.contents.iter().partition(|(name, _)| name.len() % 2 == 0);
        let is_last = path.ends_with("&cursor=x") || first.is_empty();
        let entries = if is_last { second } else { first };
        let entries: Vec<String> = entries.iter().map(|(name, bytes)| entry(name, bytes)).collect();
        let body = format!("[{}]", entries.join(","));
        let next = format!("link: <http://original.test{path}&cursor=x>; rel=\"next\"\r\n");
        return respond(stream, 200, if is_last { "" } else { &next }, body.len(), body.as_bytes());
    }
    if path == "/modelscope/api/v1/models/a/b/repo/files?Revision=master&Recursive=true" {
        let entry = |(name, bytes): (&String, &Vec<u8>)| {
            let (size, digest) = (bytes.len(), hex(&Sha256::digest(bytes)));
            format!(r#"{{"Type":"blob","Path":"{name}","Size":{size},"Sha256":"{digest}"}}"#)
        };
        let entries: Vec<String> = state.contents.iter().map(entry).collect();
        let body = format!(r#"{{"Code":200,"Data":{{"Files":[{}]}}}}"#, entries.join(","));
        return respond(stream, 200, "", body.len(), body.as_bytes());
    }
    if let Some(name) = path.strip_prefix("/modelscope/models/a/b/resolve/master/") {
        return respond(stream, 302, &format!("location: /store/{name}\r\n"), 0, b"");
    }
    if let Some(rest) = path.strip_prefix("/a/b/resolve/") {
        let (_, name) = rest.split_once('/').unwrap();
        if method == "HEAD" {
            return respond(stream, 302, &format!("{commit}location: /elsewhere\r\n"), 0, b"");
        }
        // as the real hub sends one to its store
        let store = state.store.clone().unwrap_or_default();
        let location = format!("location: {store}/store/{name}\r\n");
        return respond(stream, 302, &location, 0, b"");
    }
    let name = path.strip_prefix("/store/").unwrap_or(&path).to_owned();
    let Some(bytes) = state.contents.get(&name).cloned() else { return respond(stream, 404, "", 0, b"") };
    let end = if until == usize::MAX { String::new() } else { format!("-{until}") };
    state.log.push(format!("{name} {from}{end}{token}"));
    let fault = (!state.faults.is_empty()).then(|| state.faults.remove(0));
    drop(state);
    let size = bytes.len();
    if from >= size {
        return respond(stream, 416, "", 0, b"");
    }
    let status = if from > 0 || until < usize::MAX { 206 } else { 200 };
    let until = until.min(size);
    let range = |size: usize| format!("content-range: bytes {from}-{}/{size}\r\n", until - 1);
    let rest = &bytes[from..until];
    match fault {
        None => respond(stream, status, &range(size), rest.len(), rest),
        Some(Fault::Drop(n)) => respond(stream, status, &range(size), rest.len(), &rest[..n.min(rest.len())]),
        Some(Fault::IgnoreRange) => respond(stream, 200, "", size, &bytes),
        Some(Fault::Status(status)) => respond(stream, status, "retry-after: 0\r\n", 0, b""),
        Some(Fault::OtherSize) => respond(stream, 206, &range(size + 1), rest.len(), rest),
        Some(Fault::Silence) => std::thread::sleep(Duration::from_secs(2)),
        Some(Fault::WrongByte) => {
            let mut wrong = rest.to_vec();
            *wrong.last_mut().unwrap() ^= 1;
            respond(stream, status, &range(size), wrong.len(), &wrong);
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn entry(name: &str, bytes: &[u8]) -> String {
    let size = bytes.len();
    let git = hex(&Sha1::new_with_prefix(format!("blob {size}\0")).chain_update(bytes).finalize());
    let lfs = if size < 1000 {
        String::new()
    } else {
        format!(r#","lfs":{{"oid":"{}","size":{size}}}"#, hex(&Sha256::digest(bytes)))
    };
    format!(r#"{{"type":"file","path":"{name}","size":{size},"oid":"{git}"{lfs}}}"#)
}

/// An empty directory, gone when the test is over.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let unique = format!("hub-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(unique);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn blobs(&self) -> Vec<(String, u64)> {
        let entries = std::fs::read_dir(self.0.join("models--a--b/blobs")).unwrap().flatten();
        let mut blobs: Vec<_> = entries
            .map(|e| (e.file_name().to_string_lossy().into_owned(), e.metadata().unwrap().len()))
            .collect();
        blobs.sort();
        blobs
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn options(endpoint: &str, cache: &Scratch) -> HubOptions {
    HubOptions {
        endpoint: endpoint.to_owned(),
        token: None,
        cache: cache.0.clone(),
        offline: false,
        retry_delay: Duration::from_millis(1),
        silence: Duration::from_millis(500),
    }
}

fn fetch(options: HubOptions, id: &str) -> Result<ModelFiles, HubError> {
    Hub::new(options).fetch(&id.parse().unwrap(), &mut |_| Control::Continue)
}

fn gguf() -> Vec<u8> {
    (0..70_001u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

fn snapshot(cache: &Scratch, name: &str) -> Vec<u8> {
    std::fs::read(cache.0.join("models--a--b/snapshots").join(COMMIT).join(name)).unwrap()
}

#[test]
fn whatever_the_server_does_the_file_is_right_or_the_error_is_clear() {
    use Fault::*;
    for faults in [
        &[][..],
        &[Drop(1), Drop(0), Drop(30_000), Drop(1)],
        &[Drop(30_000), IgnoreRange],
        &[Status(500), Status(429), Status(503), Drop(5), Status(502)],
        &[Drop(30_000), Status(416)],
        &[Drop(30_000), OtherSize],
        &[WrongByte],
        &[Silence, Drop(9)],
    ] {
        let (server, cache) = (Server::start(&[("Q-Q8_0.gguf", gguf())]), Scratch::new());
        server.set_faults(faults);
        fetch(options(&server.url, &cache), "a/b").unwrap_or_else(|e| panic!("{faults:?}: {e}"));
        assert!(snapshot(&cache, "Q-Q8_0.gguf") == gguf(), "{faults:?}");
        assert_eq!(cache.blobs(), [(hex(&Sha256::digest(gguf())), 70_001)]);
    }
    for (faults, code) in [
        (&[Status(500); 5][..], "network"),
        (&[Drop(0); 5], "network"),
        (&[WrongByte; 2], "checksum-mismatch"),
        (&[OtherSize; 2], "network"),
        (&[Status(401)], "unauthorized"),
        (&[Status(404)], "not-found"),
        (&[Status(400)], "network"),
    ] {
        let (server, cache) = (Server::start(&[("Q-Q8_0.gguf", gguf())]), Scratch::new());
        server.set_faults(faults);
        let error = fetch(options(&server.url, &cache), "a/b").unwrap_err();
        assert_eq!(error.code(), code, "{faults:?}: {error}");
        let whole = hex(&Sha256::digest(gguf()));
        assert!(!cache.blobs().iter().any(|(name, _)| *name == whole), "{faults:?}");
        // and the next time it works
        fetch(options(&server.url, &cache), "a/b").unwrap();
        assert!(snapshot(&cache, "Q-Q8_0.gguf") == gguf());
    }
}

#[test]
fn no_row_of_faults_leaves_a_wrong_file() {
    let mut state = 7u32;
    let mut random = |below: u32| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 16) % below
    };
    for round in 0..60 {
        let faults: Vec<Fault> = (0..random(9))
            .map(|_| match random(10) {
                0..=3 => Fault::Drop(random(40_000) as usize),
                4 => Fault::IgnoreRange,
                5 => Fault::WrongByte,
                6 => Fault::OtherSize,
                7 => Fault::Status(416),
                8 => Fault::Status(503),
                _ => Fault::Status(404),
            })
            .collect();
        let (server, cache) = (Server::start(&[("Q-Q8_0.gguf", gguf())]), Scratch::new());
        server.set_faults(&faults);
        if let Err(error) = fetch(options(&server.url, &cache), "a/b") {
            let known = ["network", "checksum-mismatch", "not-found"];
            assert!(known.contains(&error.code()), "round {round}, {faults:?}: {error}");
            server.set_faults(&[]);
            fetch(options(&server.url, &cache), "a/b").unwrap_or_else(|e| panic!("{faults:?}: {e}"));
        }
        assert!(snapshot(&cache, "Q-Q8_0.gguf") == gguf(), "round {round}, {faults:?}");
        assert_eq!(cache.blobs().len(), 1, "{faults:?}");
    }
}

#[test]
fn a_download_goes_on_where_it_stopped() {
    let (server, cache) = (Server::start(&[("Q-Q8_0.gguf", gguf())]), Scratch::new());
    let faults = [[Fault::Drop(40_000)].as_slice(), &[Fault::Status(500); 6]].concat();
    server.set_faults(&faults);
    let error = fetch(options(&server.url, &cache), "a/b").unwrap_err();
    assert!(error.to_string().contains("40000 of 70001 bytes are kept"), "{error}");
    server.set_faults(&[]);
    server.take_log();
    let mut seen = Vec::new();
    let hub = Hub::new(options(&server.url, &cache));
    hub.fetch(&"a/b".parse().unwrap(), &mut |progress| {
        assert_eq!((progress.file, progress.bytes_total), ("Q-Q8_0.gguf", 70_001));
        seen.push(progress.bytes_done);
        Control::Continue
    })
    .unwrap();
    assert_eq!(server.take_log(), ["Q-Q8_0.gguf 40000"]);
    assert_eq!((seen[0], seen.last()), (40_000, Some(&70_001)));
    assert!(seen.is_sorted());

    // stopped by the caller, it also keeps what came
    let other = Scratch::new();
    let hub = Hub::new(options(&server.url, &other));
    let stop = &mut |progress: qwill::hub::HubProgress<'_>| {
        if progress.bytes_done > 0 { Control::Stop } else { Control::Continue }
    };
    assert!(matches!(hub.fetch(&"a/b".parse().unwrap(), stop), Err(HubError::Aborted)));
    assert!(other.blobs()[0].0.ends_with(".incomplete") && other.blobs()[0].1 > 0);
}

#[test]
fn a_checkpoint_comes_without_what_is_not_read_and_works_offline() {
    let index = br#"{"weight_map":{"x":"model-1.safetensors","y":"model-2.safetensors"}}"#.to_vec();
    let contents = [
        ("config.json", b"{}".to_vec()),
        ("1_Pooling/config.json", b"[]".to_vec()),
        ("README.md", vec![7; 5]),
        ("model.safetensors.index.json", index),
        ("model-1.safetensors", gguf()),
        ("model-2.safetensors", vec![3; 2000]),
        ("stray.safetensors", vec![4; 2000]),
    ];
    let (server, cache) = (Server::start(&contents), Scratch::new());
    let files = fetch(options(&server.url, &cache), "a/b").unwrap();
    let (shown, mut log) = (format!("{files:?}"), server.take_log());
    assert!(!shown.contains("stray") && !shown.contains("README"), "{shown}");
    assert!(
        shown.find("01234567/config.json").unwrap() < shown.find("1_Pooling/config.json").unwrap(),
        "{shown}"
    );
    log.sort();
    let paths = contents[..2].iter().chain(&contents[3..6]).map(|(name, _)| format!("{name} 0"));
    let mut paths: Vec<String> = paths.collect();
    paths.sort();
    assert_eq!(log, paths);
    assert_eq!(snapshot(&cache, "1_Pooling/config.json"), b"[]");

    // current: nothing is asked for again
    fetch(options(&server.url, &cache), "a/b").unwrap();
    assert_eq!(server.take_log(), [""; 0]);
    // forbidden to ask, or nobody there to be asked
    let offline = HubOptions { offline: true, ..options(&server.url, &cache) };
    assert_eq!(format!("{:?}", fetch(offline.clone(), "a/b").unwrap()), shown);
    let nobody = "http://127.0.0.1:1";
    assert_eq!(format!("{:?}", fetch(options(nobody, &cache), "a/b").unwrap()), shown);
    assert_eq!(fetch(options(nobody, &cache), "a/b@v2").unwrap_err().code(), "network");
    let error = fetch(offline.clone(), "a/c").unwrap_err().to_string();
    assert!(error.contains("a/c is not in") && error.contains("HF_HUB_OFFLINE"), "{error}");
    let shard = cache.0.join("models--a--b/snapshots").join(COMMIT).join("model-2.safetensors");
    std::fs::remove_file(shard).unwrap();
    assert!(fetch(offline, "a/b").unwrap_err().to_string().contains("model-2.safetensors"));
}

/// Of two files of weights, one brought before and one not.
#[test]
fn headers_are_read_without_bringing_weights() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/qwen3-tied");
    let read = |name: &str| std::fs::read(golden.join(name)).unwrap();
    let mut weights = read("model.safetensors");
    let contents = |weights: &[u8]| {
        ["config.json", "tokenizer.json", "tokenizer_config.json"]
            .map(|name| (name, read(name)))
            .into_iter()
            .chain([("model.safetensors", weights.to_vec())])
            .collect::<Vec<_>>()
    };
    let inspect = |files| block_on(Inspection::of_files(files, &LoadOptions::default())).unwrap();
    let expected = inspect(ModelFiles::from_path(&golden).unwrap());
    let (server, cache) = (Server::start(&contents(&weights)), Scratch::new());
    let peek = |url: &str| {
        let hub = Hub::new(options(url, &cache));
        hub.find(&"a/b".parse().unwrap())?.peek(&mut |_| Control::Continue)
    };

    let inspection = inspect(peek(&server.url).unwrap());
    assert_eq!((inspection.n_params, &inspection.memory), (expected.n_params, &expected.memory));
    let read_of_weights = |log: Vec<String>| -> Vec<String> {
        log.into_iter().filter(|line| line.starts_with("model.safetensors")).collect()
    };
    let end = weights.len().min(256 << 10);
    assert_eq!(read_of_weights(server.take_log()), [format!("model.safetensors 0-{end}")]);
    assert!(cache.blobs().iter().all(|(_, size)| *size != weights.len() as u64));
    // no more than peeking is no model to go offline with
    let offline = HubOptions { offline: true, ..options(&server.url, &cache) };
    assert!(matches!(fetch(offline, "a/b"), Err(HubError::Offline { .. })));

    // A tokenizer needs no weights at all.
    let tokenizer = block_on(peek(&server.url).unwrap().tokenizer()).unwrap();
    assert!(tokenizer.n_tokens() > 0);
    assert_eq!(server.take_log(), [""; 0]);

    // Faults on the way are as bad for headers as for files.
    use Fault::*;
    for faults in [&[Drop(9), Status(503)][..], &[IgnoreRange], &[OtherSize, Silence]] {
        let files = peek(&server.url).unwrap();
        server.set_faults(faults);
        assert_eq!(inspect(files).memory, expected.memory, "{faults:?}");
    }
    let files = peek(&server.url).unwrap();
    server.set_faults(&[Status(500); 5]);
    let error = block_on(Inspection::of_files(files, &LoadOptions::default())).unwrap_err();
    assert!(error.to_string().contains("model.safetensors") && error.to_string().contains("500"), "{error}");
    server.set_faults(&[]);
    server.take_log();

    // What is in the cache is read there.
    fetch(options(&server.url, &cache), "a/b").unwrap();
    assert_eq!(read_of_weights(server.take_log()), ["model.safetensors 0"]);
    assert_eq!(inspect(peek(&server.url).unwrap()).memory, expected.memory);
    assert_eq!(server.take_log(), [""; 0]);
    // Newer weights do not take the place of older ones until they are brought.
    *weights.last_mut().unwrap() ^= 1;
    let newer = Server::start(&contents(&weights));
    peek(&newer.url).unwrap();
    let offline = HubOptions { offline: true, ..options(&newer.url, &cache) };
    fetch(offline, "a/b").unwrap();
    assert!(snapshot(&cache, "model.safetensors") == read("model.safetensors"));
}

#[test]
fn several_at_once_download_once() {
    let (server, cache) = (Server::start(&[("Q-Q8_0.gguf", gguf())]), Scratch::new());
    server.set_faults(&[Fault::Drop(10_000), Fault::Drop(10_000)]);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            // files are not Send, and only their being there is asked for
            scope.spawn(|| fetch(options(&server.url, &cache), "a/b").map(|_| ()).unwrap());
        }
    });
    assert!(snapshot(&cache, "Q-Q8_0.gguf") == gguf());
    assert_eq!(server.take_log(), ["Q-Q8_0.gguf 0", "Q-Q8_0.gguf 10000", "Q-Q8_0.gguf 20000"]);
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_named() {
    let (server, cache) = (Server::start(&[("Q-Q8_0.gguf", gguf())]), Scratch::new());
    let blobs = cache.0.join("models--a--b/blobs");
    std::fs::create_dir_all(&blobs).unwrap();
    let incomplete = blobs.join(format!("{}.incomplete", hex(&Sha256::digest(gguf()))));
    // a device that is always full
    std::os::unix::fs::symlink("/dev/full", &incomplete).unwrap();
    let error = fetch(options(&server.url, &cache), "a/b").unwrap_err();
    assert_eq!(error.code(), "quota-exceeded");
    assert!(error.to_string().contains("disk is full: Q-Q8_0.gguf has 70001 bytes"), "{error}");
    std::fs::remove_file(&incomplete).unwrap();
    fetch(options(&server.url, &cache), "a/b").unwrap();
    assert!(snapshot(&cache, "Q-Q8_0.gguf") == gguf());
}

#[test]
fn model_scope_is_a_hub_too() {
    let (server, cache) = (Server::start(&[("Q-Q8_0.gguf", gguf())]), Scratch::new());
    let endpoint = format!("{}/modelscope", server.url);
    let with_token = HubOptions { token: Some("hf_x".into()), ..options(&endpoint, &cache) };
    let files = format!("{:?}", fetch(with_token.clone(), "a/b").unwrap());
    assert!(files.contains("Q-Q8_0.gguf"), "{files}");
    assert_eq!(server.take_log(), ["Q-Q8_0.gguf 0"], "without the token");
    assert_eq!(cache.blobs(), [(hex(&Sha256::digest(gguf())), 70_001)]);
    let offline = HubOptions { offline: true, ..with_token };
    assert_eq!(format!("{:?}", fetch(offline, "a/b").unwrap()), files);
}

#[test]
fn a_damaged_cache_heals() {
    let (server, cache) = (Server::start(&[("Q-Q8_0.gguf", gguf())]), Scratch::new());
    fetch(options(&server.url, &cache), "a/b").unwrap();
    let blobs = cache.0.join("models--a--b/blobs");
    let blob = blobs.join(hex(&Sha256::digest(gguf())));
    std::fs::write(&blob, b"cut").unwrap();
    let incomplete = blob.with_extension("incomplete");
    std::fs::write(&incomplete, vec![0; 80_000]).unwrap();
    fetch(options(&server.url, &cache), "a/b").unwrap();
    assert!(snapshot(&cache, "Q-Q8_0.gguf") == gguf());
    // what is there of the right length and wrong content is found out by its checksum
    std::fs::remove_file(&blob).unwrap();
    std::fs::write(&incomplete, vec![0; 40_000]).unwrap();
    fetch(options(&server.url, &cache), "a/b").unwrap();
    assert!(snapshot(&cache, "Q-Q8_0.gguf") == gguf());
}

#[test]
fn a_token_goes_to_the_hub_and_refusals_say_what_to_do() {
    let (server, cache) = (Server::start(&[("Q-Q8_0.gguf", gguf())]), Scratch::new());
    let with_token = HubOptions { token: Some("hf_x".into()), ..options(&server.url, &cache) };
    fetch(with_token.clone(), "a/b").unwrap();
    assert_eq!(server.take_log()[0].to_lowercase(), "q-q8_0.gguf 0 authorization: bearer hf_x");
    for status in [401, 403] {
        server.files.lock().unwrap().listing_status = Some(status);
        let error = fetch(with_token.clone(), "a/b").unwrap_err();
        assert_eq!(error.code(), "unauthorized");
        assert!(error.to_string().contains("HF_TOKEN"), "{error}");
    }
    let error = fetch(with_token, "a/nothing").unwrap_err();
    assert_eq!(error.code(), "not-found");
    assert!(error.to_string().contains("a/nothing"), "{error}");
}

/// Stores of mirrors often are another port of the same host; that is another server all the same.
#[test]
fn a_token_never_leaves_the_hub() {
    let (hub, store, cache) = (
        Server::start(&[("Q-Q8_0.gguf", gguf())]),
        Server::start(&[("Q-Q8_0.gguf", gguf())]),
        Scratch::new(),
    );
    hub.files.lock().unwrap().store = Some(store.url.clone());
    let with_token = HubOptions { token: Some("hf_x".into()), ..options(&hub.url, &cache) };
    fetch(with_token, "a/b").unwrap();
    assert_eq!((hub.take_log(), store.take_log()), (vec![], vec!["Q-Q8_0.gguf 0".to_owned()]));
    assert!(snapshot(&cache, "Q-Q8_0.gguf") == gguf());
    // A circle ends, too.
    let looped = Scratch::new();
    hub.files.lock().unwrap().store = Some(format!("{}/a/b/resolve/main", hub.url));
    assert_eq!(fetch(options(&hub.url, &looped), "a/b").unwrap_err().code(), "network");
}

#[test]
fn a_pointer_from_the_hub_is_named() {
    let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 70001\n".to_vec();
    // A listing that knows the size of the file, and a store that has the pointer only.
    let (hub, store, cache) = (
        Server::start(&[("Q-Q8_0.gguf", gguf())]),
        Server::start(&[("Q-Q8_0.gguf", pointer.clone())]),
        Scratch::new(),
    );
    hub.files.lock().unwrap().store = Some(store.url.clone());
    let error = fetch(options(&hub.url, &cache), "a/b").unwrap_err().to_string();
    assert!(error.contains("Git LFS pointer") && error.contains("mirror"), "{error}");
    // A listing that does not know better.
    let (hub, cache) = (Server::start(&[("Q-Q8_0.gguf", pointer)]), Scratch::new());
    let files = fetch(options(&hub.url, &cache), "a/b").unwrap();
    let error = block_on(Inspection::of_files(files, &LoadOptions::default())).err().unwrap().to_string();
    assert!(error.contains("Git LFS pointer") && error.contains("70001"), "{error}");
}

#[test]
fn the_address_of_a_page_is_a_model() {
    let (server, cache) =
        (Server::start(&[("Q-Q8_0.gguf", gguf()), ("Q-Q4_0.gguf", vec![1; 2000])]), Scratch::new());
    let options = options(&server.url, &cache);
    for address in [
        "hf.co/a/b:Q8_0".to_owned(),
        "https://huggingface.co/a/b:Q8_0".to_owned(),
        format!("{}/a/b/blob/main/Q-Q8_0.gguf", server.url),
        format!("{}/a/b:Q8_0", server.url),
    ] {
        let id = options.id(&address).unwrap();
        let files = Hub::new(options.clone()).fetch(&id, &mut |_| Control::Continue).unwrap();
        assert!(format!("{files:?}").contains("Q-Q8_0.gguf"), "{address}");
    }
    assert!(options.id(&format!("{}/a", server.url)).is_err());
}
