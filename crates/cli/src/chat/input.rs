//! What a person types, or a pipe brings.

use std::io::{self, IsTerminal, StdinLock};
use std::path::PathBuf;

use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{Behavior, Cmd, ColorMode, CompletionType, Config, Editor, KeyCode, KeyEvent, Modifiers};

use super::helper::ChatHelper;
use super::texts::goes_on;
use crate::failure::Failure;

/// Lines that are remembered.
const N_REMEMBERED: usize = 1000;

/// Something that was said.
pub(super) enum Entry {
    Text(String),
    /// Ctrl-C at the prompt.
    Interrupted,
    /// Ctrl-D, or the end of the pipe.
    End,
}

pub(super) enum Input {
    Typed { editor: Box<Editor<ChatHelper, FileHistory>>, history: Option<PathBuf> },
    Piped(StdinLock<'static>),
}

impl Input {
    pub(super) fn open() -> Result<Self, Failure> {
        if !io::stdin().is_terminal() {
            return Ok(Self::Piped(io::stdin().lock()));
        }
        let has_colours = console::colors_enabled();
        let config = Config::builder()
            .max_history_size(N_REMEMBERED)?
            .history_ignore_dups(true)?
            .history_ignore_space(true)
            .completion_type(CompletionType::List)
            .color_mode(if has_colours { ColorMode::Enabled } else { ColorMode::Disabled })
            // replies may go into a file
            .behavior(if io::stdout().is_terminal() { Behavior::Stdio } else { Behavior::PreferTerm })
            .build();
        let mut editor = Editor::with_config(config)?;
        editor.set_helper(Some(ChatHelper::new(has_colours)));
        editor.bind_sequence(KeyEvent(KeyCode::Enter, Modifiers::ALT), Cmd::Newline);
        let history = qwill::cache_folder().map(|folder| folder.join("chat-history"));
        if let Some(file) = &history {
            // the first time there is none
            let _ = editor.load_history(file);
        }
        Ok(Self::Typed { editor: Box::new(editor), history })
    }

    /// The next message or command.
    pub(super) fn next(&mut self) -> Result<Entry, Failure> {
        match self {
            Self::Typed { editor, .. } => match editor.readline("> ") {
                Ok(text) => Ok(Entry::Text(text)),
                Err(ReadlineError::Interrupted) => Ok(Entry::Interrupted),
                Err(ReadlineError::Eof) => Ok(Entry::End),
                Err(error) => Err(error.into()),
            },
            Self::Piped(lines) => read_piped(lines),
        }
    }

    /// Lets the arrow keys find it, now and another day.
    pub(super) fn remember(&mut self, text: &str) {
        let Self::Typed { editor, history } = self else { return };
        let is_new = editor.add_history_entry(text).unwrap_or(false);
        if let Some(file) = history.as_ref().filter(|_| is_new) {
            let made = file.parent().map_or(Ok(()), std::fs::create_dir_all);
            if let Err(error) = made.map_err(ReadlineError::from).and_then(|()| editor.append_history(file)) {
                tracing::debug!("{} is not written: {error}", file.display());
            }
        }
    }
}

fn read_piped(lines: &mut impl io::BufRead) -> Result<Entry, Failure> {
    let mut text = String::new();
    loop {
        let n_read = lines.read_line(&mut text)?;
        let line_end = text.trim_end_matches(['\r', '\n']).len();
        text.truncate(line_end);
        match n_read {
            0 if text.is_empty() => return Ok(Entry::End),
            0 => return Ok(Entry::Text(text)),
            _ if goes_on(&text) => text.push('\n'),
            _ => return Ok(Entry::Text(text)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pipes_bring_texts_of_several_lines() {
        let mut lines = "a\nb \\\nc\r\n\"\"\"d\ne".as_bytes();
        let mut next = || match read_piped(&mut lines).unwrap() {
            Entry::Text(text) => text,
            _ => "end".into(),
        };
        assert_eq!([next(), next(), next(), next()], ["a", "b \\\nc", "\"\"\"d\ne", "end"]);
    }
}
