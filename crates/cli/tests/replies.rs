//! What the command shows of replies that models write with mistakes.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use qwill_testkit::replies::ReplyCase;
use qwill_testkit::scripted::TagKind;
use serde_json::{Value, json};

fn run(model: &Path, tools: &Path, more: &[&str]) -> Output {
    let output = Command::new(env!("CARGO_BIN_EXE_qwill"))
        .args(["run", "--temperature", "0", "--context", "1024", "-m"])
        .arg(model)
        .arg("--tools")
        .arg(tools)
        .args(more)
        .arg("Hi")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output
}

#[test]
fn replies_of_every_kind_are_shown_right() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-replies", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (model, tools) = (folder.join("model.gguf"), folder.join("tools.json"));
    for (index, case) in ReplyCase::of_each_kind().iter().enumerate() {
        let tags = [TagKind::UserDefined, TagKind::Spelled][index % 2];
        std::fs::write(&model, case.model(tags)).unwrap();
        std::fs::write(&tools, json!(case.tools()).to_string()).unwrap();
        let reply: Value = serde_json::from_slice(&run(&model, &tools, &["--json"]).stdout).unwrap();
        let calls = reply["tool_calls"].as_array().unwrap().iter().map(|call| {
            let arguments: Value = serde_json::from_str(call["arguments"].as_str().unwrap()).unwrap();
            json!([call["name"], arguments])
        });
        let calls: Value = calls.collect();
        let [text, reasoning] = ["text", "reasoning"].map(|key| reply[key].as_str().unwrap());
        assert_eq!(case.difference(text, reasoning, &calls), None);
        // What a person sees: the text on one stream, thoughts and calls on the other.
        let shown = run(&model, &tools, &[]);
        assert_eq!(String::from_utf8(shown.stdout).unwrap().trim_end(), text.trim_end(), "{}", case.name());
        let told = String::from_utf8(shown.stderr).unwrap();
        for call in reply["tool_calls"].as_array().unwrap() {
            let [name, arguments] = ["name", "arguments"].map(|key| call[key].as_str().unwrap());
            assert!(told.contains(&format!("calls {name}({arguments})")), "{}: {told}", case.name());
        }
    }
    std::fs::remove_dir_all(&folder).unwrap();
}
