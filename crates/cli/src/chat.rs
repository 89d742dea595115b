//! `qwill chat`: a conversation.

mod commands;
mod conversation;
mod helper;
mod input;
mod interrupt;
mod params;
mod texts;

use qwill::{KvType, Message};

use self::commands::{Line, help};
use self::conversation::{Chats, Loaded};
use self::input::{Entry, Input};
use self::texts::meant;
use crate::args::ChatArgs;
use crate::failure::Failure;
use crate::run::request;
use crate::terminal::note;

pub(crate) fn chat(args: &ChatArgs) -> Result<(), Failure> {
    let request = request(&args.reply)?;
    let loaded = Loaded {
        model: crate::model::load(&args.model, KvType::F16)?,
        source: args.model.model.clone(),
        options: crate::model::options(&args.model.setup, KvType::F16),
    };
    let mut chats = Chats::new(loaded, request);
    note(&chats.greeting());
    let mut input = Input::open()?;
    if let Input::Typed { .. } = input {
        interrupt::listen()?;
        note("/help lists commands, Ctrl-C stops a reply, Ctrl-D leaves");
    }
    let mut was_interrupted = false;
    loop {
        let entry = input.next()?;
        interrupt::forget();
        let text = match entry {
            Entry::Text(text) => text,
            Entry::Interrupted if was_interrupted => return Ok(()),
            Entry::Interrupted => {
                note("Ctrl-C again, or Ctrl-D, leaves");
                was_interrupted = true;
                continue;
            }
            Entry::End => return Ok(()),
        };
        was_interrupted = false;
        if text.trim().is_empty() {
            continue;
        }
        input.remember(&text);
        let text = meant(&text);
        let done = match commands::read(&text) {
            Line::Message(message) => chats.say(Message::user(message)),
            Line::Command("/exit", _) => return Ok(()),
            Line::Command("/help", _) => {
                note(&help());
                Ok(())
            }
            Line::Command("/model", source) if !source.is_empty() => {
                let (next, done) = chats.with_model(source)?;
                chats = next;
                done.map(|()| note(&chats.greeting()))
            }
            Line::Command(command, argument) => chats.obey(command, argument).map(|said| {
                if !said.is_empty() {
                    note(&said);
                }
            }),
            Line::Unknown(word) => {
                note(&format!(
                    "There is no command {word}; /help lists them. A message may begin with a space."
                ));
                Ok(())
            }
        };
        if let Err(failure) = done {
            failure.print(false);
        }
    }
}
