//! `qwill chat`: a conversation.

use std::io::IsTerminal;
use std::path::Path;

use pollster::block_on;
use qwill::{KvType, Message, Model, Session};
use rustyline::DefaultEditor;
use rustyline::error::ReadlineError;

use crate::args::ChatArgs;
use crate::failure::{Failure, about};
use crate::run::{request, stream, summary};

const HELP: &str = "\
/new            start over
/undo           forget your last message and the reply to it
/fork           go on with a copy; /back returns to the conversation as it is now
/save FILE      save the conversation, with what the model has read of it
/load FILE      go on with a saved one
/thinking on    and /thinking off switch thoughts
/exit           end (or Ctrl-D)";

/// Conversations, the last of them the one that goes on.
struct Chats {
    model: Model,
    /// As every conversation begins.
    first: Session,
    session: Session,
    /// Those that were forked.
    kept: Vec<Session>,
}

impl Chats {
    /// Does what a line that begins with a slash says; what to tell about it.
    fn obey(&mut self, command: &str, argument: &str) -> Result<String, Failure> {
        let said = match (command, argument) {
            ("/new", "") => {
                self.session = self.first.fork();
                "A new conversation."
            }
            ("/undo", "") if self.session.undo() => "Forgotten.",
            ("/undo", "") => "There is nothing to forget.",
            ("/fork", "") => {
                self.kept.push(self.session.fork());
                "A copy. /back returns to where it was made."
            }
            ("/back", "") => match self.kept.pop() {
                Some(kept) => {
                    self.session = kept;
                    "Back."
                }
                None => "There is nothing to return to: /fork keeps a conversation.",
            },
            ("/save", file) if !file.is_empty() => {
                let bytes = block_on(self.session.save())?;
                std::fs::write(file, &bytes).map_err(|error| about(Path::new(file), error))?;
                return Ok(format!("Saved to {file}, {:.1} MB.", bytes.len() as f64 / 1e6));
            }
            ("/load", file) if !file.is_empty() => {
                let bytes = std::fs::read(file).map_err(|error| about(Path::new(file), error))?;
                self.session = block_on(self.model.restore(&bytes))?;
                return Ok(format!("{file} goes on, after {} messages.", self.session.messages().len()));
            }
            ("/save" | "/load", _) => "A file is needed: /save FILE, /load FILE.",
            // Not /think and /no_think: those are words that Qwen3 itself knows.
            ("/thinking", "on") => {
                self.session.request_mut().enable_thinking = Some(true);
                "Thoughts are on."
            }
            ("/thinking", "off") => {
                self.session.request_mut().enable_thinking = Some(false);
                "Thoughts are off."
            }
            _ => HELP,
        };
        Ok(said.to_owned())
    }

    /// A turn. The conversation goes on without one that fails.
    fn say(&mut self, text: &str) -> Result<(), Failure> {
        let n = self.session.messages().len();
        self.session.push(Message::user(text));
        let replied = stream(&self.model, self.session.request()).and_then(|reply| {
            self.session.take(&reply)?;
            Ok(summary(&reply))
        });
        match replied {
            Ok(summary) => eprintln!("{summary}"),
            Err(failure) => {
                self.session.rewind(n);
                return Err(failure);
            }
        }
        Ok(())
    }
}

/// Whether a line is a command, and not a message such as "/think".
fn is_command(line: &str) -> bool {
    let word = line.split_whitespace().next().unwrap_or_default();
    ["/new", "/undo", "/fork", "/back", "/save", "/load", "/thinking", "/help"].contains(&word)
}

pub(crate) fn chat(args: &ChatArgs) -> Result<(), Failure> {
    let request = request(&args.reply)?;
    let model = crate::model::load(&args.model, KvType::F16)?;
    let info = model.info();
    eprintln!("{} on {} ({}), {} tokens of context", info.name, info.gpu, info.backend, info.context_length);
    eprintln!("{HELP}");
    let first = model.session(request);
    let mut chats = Chats { session: first.fork(), first, model, kept: Vec::new() };
    let mut editor = DefaultEditor::new()?;
    let prompt = if std::io::stdin().is_terminal() { "> " } else { "" };
    loop {
        let line = match editor.readline(prompt) {
            Ok(line) => line,
            Err(ReadlineError::Interrupted) => continue,
            Err(ReadlineError::Eof) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let line = line.trim();
        let done = match line {
            "" => continue,
            "/exit" | "/quit" => return Ok(()),
            command if is_command(command) => {
                let (command, argument) = command.split_once(' ').unwrap_or((command, ""));
                chats.obey(command, argument.trim()).map(|said| eprintln!("{said}"))
            }
            text => {
                let _ = editor.add_history_entry(text);
                chats.say(text)
            }
        };
        if let Err(failure) = done {
            failure.print(false);
        }
    }
}
