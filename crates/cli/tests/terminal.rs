//! `qwill chat` as a person sees it: on a pseudo-terminal, whose screen is drawn from the bytes that come.

#![cfg(unix)]

use std::path::{Path, PathBuf};
use std::process::Command;

use qwill_testkit::scripted::{PromptEnd, Script, TagKind, scripted_gguf};
use rexpect::session::{PtySession, spawn_command};
use serde_json::Value;
use vt100::{Color, Parser};

/// Longer than any of this takes on a busy machine.
const PATIENCE_MS: u64 = 60_000;

struct Terminal {
    session: PtySession,
    screen: Parser,
    /// All bytes that came.
    bytes: Vec<u8>,
}

impl Terminal {
    fn open(cache: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_qwill"));
        command.args(["chat", "--temperature", "0", "--no-self-test"]).args(arguments);
        command.env("XDG_CACHE_HOME", cache).env("TERM", "xterm-256color").env_remove("NO_COLOR");
        command.envs(environment.iter().copied());
        let session = spawn_command(command, Some(PATIENCE_MS)).unwrap();
        let (rows, columns) = (40.try_into().unwrap(), 80.try_into().unwrap());
        Self { session, screen: Parser::new(rows, columns, 0), bytes: Vec::new() }
    }

    fn take(&mut self, text: &str) {
        // one character for each byte
        let bytes: Vec<u8> = text.chars().map(|byte| byte as u8).collect();
        self.screen.process(&bytes);
        self.bytes.extend(bytes);
    }

    /// Waits until this comes.
    #[track_caller]
    fn wait(&mut self, words: &str) {
        let before = self.session.exp_string(words);
        let before = before.unwrap_or_else(|error| panic!("{error}"));
        self.take(&(before + words));
    }

    /// Waits for the prompt: bytes may come behind what one waits for.
    #[track_caller]
    fn wait_for_prompt(&mut self) {
        self.wait("\x1b[?2004h");
        self.wait("> ");
    }

    fn press(&mut self, keys: &str) {
        self.session.send(keys).unwrap();
        self.session.flush().unwrap();
    }

    /// Waits until the program has ended.
    fn leave(&mut self) {
        let rest = self.session.exp_eof().unwrap();
        self.take(&rest);
    }

    fn rows(&self) -> Vec<String> {
        self.screen.screen().contents().lines().map(|line| line.trim_end().to_owned()).collect()
    }

    /// The cell where these words begin on the screen.
    #[track_caller]
    fn cell(&self, words: &str) -> &vt100::Cell {
        let rows = self.rows();
        let found = rows.iter().enumerate().find_map(|(row, line)| {
            let at = line.find(words)?;
            Some((row, line[..at].chars().count()))
        });
        let (row, column) = found.unwrap_or_else(|| panic!("no \"{words}\" in {rows:#?}"));
        self.screen.screen().cell(row as u16, column as u16).unwrap()
    }

    /// Whether anything had a colour or a weight.
    fn has_styles(&self) -> bool {
        let text = String::from_utf8_lossy(&self.bytes);
        text.split("\x1b[").skip(1).any(|rest| {
            let end = rest.find(|c: char| c.is_ascii_alphabetic());
            end.is_some_and(|end| {
                rest[end..].starts_with('m') && rest[..end].chars().any(|c| c.is_ascii_digit() && c != '0')
            })
        })
    }
}

fn scratch(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{name}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

const REPLY: &str = "<think>\nLet me see.\n</think>\n\n# Rivers\n\nWater that **flows**:\n\n```rust\n\
    fn main() { /* x */ }\n```\n\n- down `hill`\n";

fn scripted(folder: &Path) -> String {
    let script = Script { reply: REPLY, piece: 3, tags: TagKind::UserDefined, prompt_end: PromptEnd::Reply };
    let file = folder.join("model.gguf");
    std::fs::write(&file, scripted_gguf(&script)).unwrap();
    file.display().to_string()
}

#[test]
fn replies_are_rendered_and_lines_are_edited() {
    let folder = scratch("looks");
    let model = scripted(&folder);
    let mut terminal = Terminal::open(&folder, &["-m", &model], &[]);
    terminal.wait_for_prompt();
    terminal.press("What is a river?\r");
    terminal.wait("stop");
    terminal.wait_for_prompt();
    let rows = terminal.rows();
    let shown =
        ["Let me see.", "", "Rivers", "", "Water that flows:", "", "```rust", "fn main() { /* x */ }"];
    let at = rows.iter().position(|row| row == shown[0]).unwrap_or_else(|| panic!("{rows:#?}"));
    assert_eq!(rows[at..at + shown.len()], shown);
    assert!(terminal.cell("Let me see").dim());
    assert!(terminal.cell("Rivers").bold() && terminal.cell("flows").bold());
    assert!(!terminal.cell("Water").bold() && !terminal.cell("Water").dim());
    assert_eq!(terminal.cell("fn main").fgcolor(), Color::Idx(5));
    assert_eq!(terminal.cell("main()").fgcolor(), Color::Idx(4));
    assert_eq!(terminal.cell("hill").fgcolor(), Color::Idx(6));
    assert!(terminal.cell("prompt tokens").dim());

    // a text of several lines is one message
    terminal.press("\"\"\"one\rtwo\"\"\"\r");
    terminal.wait("stop");
    terminal.wait_for_prompt();
    terminal.press("/tok\t\r");
    terminal.wait("4 messages");
    terminal.wait_for_prompt();
    terminal.press("/undoo\r");
    terminal.wait("There is no command /undoo");
    terminal.wait_for_prompt();
    terminal.press("half a line\x03");
    terminal.wait("Ctrl-C again");
    terminal.wait_for_prompt();
    terminal.press("\x03");
    terminal.leave();

    // another day, the arrow keys find it
    let mut terminal = Terminal::open(&folder, &["-m", &model], &[]);
    terminal.wait_for_prompt();
    terminal.press("\x1b[A\x1b[A\r");
    terminal.wait("The conversation is empty");
    terminal.wait_for_prompt();
    terminal.press("\x04");
    terminal.leave();
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn nothing_has_a_colour_where_none_is_wanted() {
    let folder = scratch("plain");
    let model = scripted(&folder);
    for environment in [("NO_COLOR", "1"), ("TERM", "dumb")] {
        let mut terminal = Terminal::open(&folder, &["-m", &model], &[environment]);
        terminal.wait("Ctrl-D");
        terminal.press("What is a river?\r");
        terminal.wait("**flows**:");
        terminal.wait("stop");
        terminal.press("\x04");
        terminal.leave();
        assert!(!terminal.has_styles(), "{environment:?}: {:?}", String::from_utf8_lossy(&terminal.bytes));
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn ctrl_c_stops_the_reply_and_not_the_program() {
    let folder = scratch("stops");
    // a reply of nothing but this word, which never ends by itself
    let told =
        Command::new(env!("CARGO_BIN_EXE_qwill")).args(["tokenize", "--json", " the"]).output().unwrap();
    let told: Value = serde_json::from_slice(&told.stdout).unwrap();
    let bias = format!("{}=100", told["ids"][0]);
    let word = told["tokens"][0].as_str().unwrap().trim();
    let mut terminal = Terminal::open(&folder, &["--no-think", "--logit-bias", &bias], &[]);
    terminal.wait_for_prompt();
    for _ in 0..2 {
        terminal.press("Hello\r");
        terminal.wait(&format!("{word} {word} {word} {word}"));
        terminal.press("\x03");
        terminal.wait("aborted");
        terminal.wait_for_prompt();
    }
    terminal.press("/tokens\r");
    terminal.wait("4 messages");
    terminal.wait_for_prompt();
    terminal.press("\x04");
    terminal.leave();
    std::fs::remove_dir_all(&folder).unwrap();
}
