//! `qwill pull`, `list` and `rm`, and what packagers ask for.

mod hub_server;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

struct Kept {
    home: PathBuf,
    endpoint: String,
}

impl Kept {
    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_qwill"));
        command.args(arguments).env("HF_HOME", &self.home).env("HF_ENDPOINT", &self.endpoint);
        command.env_remove("HF_HUB_OFFLINE").env_remove("HF_HUB_CACHE").output().unwrap()
    }

    #[track_caller]
    fn stdout(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn models(&self) -> Vec<Value> {
        let listed: Value = serde_json::from_str(&self.stdout(&["list", "--json"])).unwrap();
        listed["models"].as_array().unwrap().clone()
    }
}

fn scratch(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{name}", std::process::id()))
}

#[test]
fn models_are_pulled_listed_and_removed() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/g-qwen2/g-qwen2-Q8_0.gguf");
    let bytes = std::fs::read(golden).unwrap();
    let size = bytes.len();
    let (endpoint, requests) = hub_server::start(bytes);
    let kept = Kept { home: scratch("library"), endpoint };
    assert!(kept.models().is_empty());
    assert_eq!(kept.stdout(&["list"]), "");
    kept.stdout(&["pull", "a/b-GGUF"]);
    // there already
    kept.stdout(&["pull", &format!("{}/a/b-GGUF", kept.endpoint)]);
    assert_eq!(requests.load(std::sync::atomic::Ordering::Relaxed), 1);
    let models = kept.models();
    assert_eq!(models.len(), 1);
    let model = &models[0];
    assert_eq!((&model["name"], &model["bytes"]), (&"a/b-GGUF:Q8_0".into(), &size.into()));
    assert_eq!((&model["architecture"], &model["format"]), (&"qwen2".into(), &"Q8_0".into()));
    assert!(model["changed"].as_u64().unwrap() > 1_700_000_000);
    let table = kept.stdout(&["ls"]);
    let row = table.lines().nth(1).unwrap();
    for words in ["a/b-GGUF:Q8_0", " kB", " ago", "qwen2, Q8_0"] {
        assert!(row.contains(words), "no \"{words}\" in {table}");
    }

    let asked = kept.run(&["rm", "a/b-GGUF"]);
    assert_eq!(asked.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&asked.stderr).contains("--yes"));
    assert_eq!(kept.models().len(), 1);
    let other = kept.run(&["rm", "--yes", "a/b-GGUF:Q4_0"]);
    let told = String::from_utf8_lossy(&other.stderr).into_owned();
    assert!(told.contains("a/b-GGUF:Q4_0 is not in") && told.contains("it has a/b-GGUF:Q8_0"), "{told}");
    kept.stdout(&["rm", "--yes", "a/b-GGUF:Q8_0"]);
    assert!(kept.models().is_empty());
    assert!(!kept.home.join("hub/models--a--b-GGUF").exists());
    std::fs::remove_dir_all(&kept.home).unwrap();
}

/// Commands, as the help lists them.
fn commands(kept: &Kept) -> Vec<String> {
    let help = kept.stdout(&["--help"]);
    let lines =
        help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names = lines.filter_map(|line| line.split_whitespace().next());
    names.filter(|name| *name != "help").map(str::to_owned).collect()
}

#[test]
fn completions_and_manual_pages_name_all_commands() {
    let kept = Kept { home: scratch("packages"), endpoint: String::new() };
    let commands = commands(&kept);
    assert!(commands.len() > 14, "{commands:?}");
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = kept.stdout(&["completions", shell]);
        for name in commands.iter().map(String::as_str).chain(["thinking-budget"]) {
            assert!(script.contains(name), "no {name} for {shell}");
        }
    }
    assert_eq!(kept.run(&["completions", "tcsh"]).status.code(), Some(2));
    let folder = kept.home.join("man/man1");
    kept.stdout(&["man", folder.to_str().unwrap()]);
    let overview = std::fs::read_to_string(folder.join("qwill.1")).unwrap();
    for name in &commands {
        assert!(overview.contains(&format!("qwill\\-{name}(1)")), "no {name} in {overview}");
        let page = std::fs::read_to_string(folder.join(format!("qwill-{name}.1"))).unwrap();
        assert!(page.contains(".SH SYNOPSIS"), "{page}");
    }
    let chat = std::fs::read_to_string(folder.join("qwill-chat.1")).unwrap();
    assert!(chat.contains("Examples:") && chat.contains("system"), "{chat}");
    std::fs::remove_dir_all(&kept.home).unwrap();
}

/// Whoever reads one line of the output gets it, and no complaint.
#[cfg(unix)]
#[test]
fn a_closed_pipe_is_no_failure() {
    use std::io::{BufRead, BufReader};
    use std::process::Stdio;

    for arguments in [
        &["tokenize", "a b c d e f g h"][..],
        &["inspect", "--shape", "qwen3-0.6b"],
        &["completions", "bash"],
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_qwill"));
        let mut child =
            command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // closed before anything is written
        drop(child.stdout.take());
        let mut told = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        assert_eq!(told.find(|line| !line.contains("XDG_RUNTIME_DIR")), None, "{arguments:?}");
        assert!(child.wait().unwrap().success(), "{arguments:?}");
    }
}

/// A full disk is one, for replies too.
#[cfg(target_os = "linux")]
#[test]
fn output_that_cannot_be_written_is_a_failure() {
    for arguments in [&["tokenize", "a b c"][..], &["run", "--no-think", "--max-tokens", "2", "Hello"]] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_qwill")).args(arguments).stdout(full).output().unwrap();
        let told = String::from_utf8_lossy(&child.stderr);
        assert_eq!(child.status.code(), Some(1), "{arguments:?}: {told}");
        assert!(told.contains("cannot be written"), "{told}");
    }
}
