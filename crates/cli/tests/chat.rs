//! `qwill chat` as a person types into it.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// What is printed for these lines.
fn chat(lines: &str) -> (String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_qwill"));
    command.args(["chat", "--no-think", "--temperature", "0", "--max-tokens", "12"]);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr))
}

/// The replies, one a line.
fn replies(lines: &str) -> Vec<String> {
    chat(lines).0.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect()
}

#[test]
fn conversations_are_undone_forked_saved_and_loaded() {
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}.session", std::process::id()));
    let shown = file.display();
    let plain = replies("Hello\nWhat is a river?\n");
    assert!(plain.len() >= 2, "{plain:?}");
    let (hello, river) = plain.split_at(plain.len() / 2);

    let undone = replies("Hello\nTell me more.\n/undo\nWhat is a river?\n");
    assert!(undone.starts_with(hello) && undone.ends_with(river), "{undone:?}");
    let forked = replies("Hello\n/fork\nTell me more.\n/back\nWhat is a river?\n");
    assert!(forked.starts_with(hello) && forked.ends_with(river), "{forked:?}");
    assert_eq!(replies(&format!("Hello\n/save {shown}\n")), hello);
    assert_eq!(replies(&format!("/load {shown}\nWhat is a river?\n")), river);
    std::fs::remove_file(&file).unwrap();

    let (_, told) = chat(&format!("/undo\n/back\n/save\n/load {shown}\n/help\n"));
    for words in ["nothing to forget", "nothing to return to", "A file is needed", ".session: ", "/fork"] {
        assert!(told.contains(words), "no \"{words}\" in {told}");
    }
}
