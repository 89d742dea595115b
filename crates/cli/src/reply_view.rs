//! A reply while it is made: its text on standard output, thoughts and calls of tools dimmed on standard error.

use std::io::{self, IsTerminal, Stderr, Stdout, Write};

use console::{Style, Term};
use indicatif::ProgressBar;
use pollster::block_on;
use qwill::{ChatEvent, ChatReply, ChatRequest, Control, Model};

use crate::failure::{Failure, wrong};
use crate::markdown::{MarkdownView, Page};
use crate::terminal::progress_bar;

/// How the text looks on a terminal with colours; elsewhere it is as the model wrote it.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Rendering {
    AsWritten,
    Markdown,
}

/// What was shown last.
#[derive(Clone, Copy, PartialEq)]
enum Part {
    Nothing,
    Thoughts,
    Call,
    Text,
}

enum TextView {
    AsWritten(Stdout),
    Markdown(Box<MarkdownView<Stdout>>),
}

impl TextView {
    fn new(rendering: Rendering) -> Self {
        if rendering == Rendering::Markdown && console::colors_enabled() {
            let n_columns = usize::from(Term::stdout().size().1);
            return Self::Markdown(Box::new(MarkdownView::new(io::stdout(), n_columns)));
        }
        Self::AsWritten(io::stdout())
    }

    fn push(&mut self, text: &str) -> io::Result<()> {
        match self {
            Self::AsWritten(out) => out.write_all(text.as_bytes()).and_then(|()| out.flush()),
            Self::Markdown(view) => view.push(text),
        }
    }

    fn finish(&mut self) -> io::Result<()> {
        match self {
            Self::AsWritten(_) => Ok(()),
            Self::Markdown(view) => view.finish(),
        }
    }
}

/// What a person may want to know beside the text. It may go unread.
enum Aside {
    Plain(Stderr),
    Dim(Box<Page<Stderr>>),
}

impl Aside {
    fn new() -> Self {
        if console::colors_enabled_stderr() {
            let n_columns = usize::from(Term::stderr().size().1);
            return Self::Dim(Box::new(Page::new(io::stderr(), n_columns)));
        }
        Self::Plain(io::stderr())
    }

    fn write(&mut self, text: &str) {
        let _ = match self {
            Self::Plain(out) => out.write_all(text.as_bytes()),
            Self::Dim(page) => {
                let dim = Style::new().force_styling(true).dim();
                page.text(text, &dim).and_then(|()| page.flush())
            }
        };
    }

    fn end_line(&mut self) {
        if let Self::Dim(page) = self {
            let _ = page.end_word().and_then(|()| page.flush());
            *self = Self::new();
        }
        let _ = writeln!(io::stderr());
    }
}

struct ReplyView {
    text: TextView,
    aside: Aside,
    reading: Option<ProgressBar>,
    part: Part,
    written: io::Result<()>,
    /// Text and asides meet on one screen.
    is_shared: bool,
}

impl ReplyView {
    fn new(rendering: Rendering) -> Self {
        Self {
            text: TextView::new(rendering),
            aside: Aside::new(),
            reading: None,
            part: Part::Nothing,
            written: Ok(()),
            is_shared: io::stdout().is_terminal() && io::stderr().is_terminal(),
        }
    }

    /// Ends what was shown before.
    fn enter(&mut self, part: Part) {
        match (self.part, part) {
            (last, next) if last == next => {}
            (Part::Thoughts, next) => {
                self.aside.end_line();
                if next == Part::Text && self.is_shared && matches!(self.aside, Aside::Dim(_)) {
                    self.aside.end_line();
                }
            }
            (Part::Call, Part::Text | Part::Thoughts) => {
                self.aside.write("… is no call");
                self.aside.end_line();
            }
            (Part::Call, _) => self.aside.end_line(),
            (Part::Text, _) if self.is_shared => {
                self.written = self.text.finish().and_then(|()| writeln!(io::stdout()));
            }
            _ => {}
        }
        self.part = part;
    }

    fn show(&mut self, event: &ChatEvent) {
        if let ChatEvent::Progress { n_read, n_tokens } = event {
            let bar = || progress_bar("reading {bar:30} {pos}/{len} tokens {eta}");
            let bar = self.reading.get_or_insert_with(bar);
            bar.set_length(*n_tokens as u64);
            bar.set_position(*n_read as u64);
            return;
        }
        if let Some(bar) = self.reading.take() {
            bar.finish_and_clear();
        }
        match event {
            ChatEvent::Reasoning { text } => {
                self.enter(Part::Thoughts);
                self.aside.write(text);
            }
            ChatEvent::Content { text } | ChatEvent::Prompt { text, .. } => {
                self.enter(Part::Text);
                self.written = self.text.push(text);
            }
            ChatEvent::ToolCallDelta(delta) => {
                self.enter(Part::Call);
                if let Some(name) = &delta.name {
                    self.aside.write(&format!("calls {name}("));
                }
                self.aside.write(&delta.arguments);
            }
            ChatEvent::ToolCall(_) => {
                self.aside.write(")");
                self.enter(Part::Nothing);
            }
            ChatEvent::Progress { .. } | ChatEvent::Token { .. } => {}
        }
    }

    fn finish(&mut self, reply: &ChatReply) {
        if let Some(bar) = self.reading.take() {
            bar.finish_and_clear();
        }
        if self.part != Part::Text {
            return self.enter(Part::Nothing);
        }
        if self.written.is_ok() && !reply.text.is_empty() {
            self.written = self.text.finish().and_then(|()| writeln!(io::stdout()));
        }
    }
}

/// Makes a reply and shows it. `go_on` is asked again and again.
pub(crate) fn stream(
    model: &Model,
    request: &ChatRequest,
    rendering: Rendering,
    go_on: impl Fn() -> Control,
) -> Result<ChatReply, Failure> {
    let mut view = ReplyView::new(rendering);
    let reply = block_on(model.chat_with(request, &mut |event| {
        view.show(&event);
        // a closed pipe ends the reply
        if view.written.is_ok() { go_on() } else { Control::Stop }
    }))?;
    view.finish(&reply);
    match view.written {
        // whoever reads no further has what was wanted
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(wrong(format!("the reply cannot be written: {error}")))
        }
        _ => Ok(reply),
    }
}
