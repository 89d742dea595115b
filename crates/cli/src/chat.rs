//! `qwill chat`: a conversation.

use std::io::IsTerminal;

use qwill::{KvType, Message};
use rustyline::DefaultEditor;
use rustyline::error::ReadlineError;

use crate::args::ChatArgs;
use crate::failure::Failure;
use crate::run::{request, stream, summary};

const HELP: &str =
    "/new starts over, /thinking on and /thinking off switch thoughts, /exit (or Ctrl-D) ends.";

pub(crate) fn chat(args: &ChatArgs) -> Result<(), Failure> {
    let mut request = request(&args.reply)?;
    let system = request.messages.clone();
    let model = crate::model::load(&args.model, KvType::F16)?;
    let info = model.info();
    eprintln!("{} on {} ({}), {} tokens of context", info.name, info.gpu, info.backend, info.context_length);
    eprintln!("{HELP}");
    let mut editor = DefaultEditor::new()?;
    let prompt = if std::io::stdin().is_terminal() { "> " } else { "" };
    loop {
        let line = match editor.readline(prompt) {
            Ok(line) => line,
            Err(ReadlineError::Interrupted) => continue,
            Err(ReadlineError::Eof) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        match line.trim() {
            "" => continue,
            "/exit" | "/quit" => return Ok(()),
            "/help" => eprintln!("{HELP}"),
            "/new" => request.messages.clone_from(&system),
            // Not /think and /no_think: those are words that Qwen3 itself knows.
            "/thinking on" => request.enable_thinking = Some(true),
            "/thinking off" => request.enable_thinking = Some(false),
            text => {
                let _ = editor.add_history_entry(text);
                request.messages.push(Message::user(text));
                match stream(&model, &request) {
                    Ok(reply) => {
                        eprintln!("{}", summary(&reply));
                        request.messages.push(reply.message());
                    }
                    // The conversation goes on without the turn that failed.
                    Err(failure) => {
                        failure.print(false);
                        request.messages.pop();
                    }
                }
            }
        }
    }
}
