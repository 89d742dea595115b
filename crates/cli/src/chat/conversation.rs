//! Conversations with a model, one of which goes on.

use std::path::Path;

use pollster::block_on;
use qwill::{ChatReply, ChatRequest, FinishReason, LoadOptions, Message, Model, ModelFiles, Session};

use super::{interrupt, params};
use crate::failure::{Failure, about, wrong};
use crate::reply_view::{Rendering, stream};
use crate::run::summary;
use crate::terminal::note;

/// A model and what it was loaded from.
pub(super) struct Loaded {
    pub(super) model: Model,
    pub(super) source: String,
    pub(super) options: LoadOptions,
}

/// Conversations, the last of them the one that goes on.
pub(super) struct Chats {
    loaded: Loaded,
    /// As every conversation begins.
    first: Session,
    session: Session,
    /// Those that were forked.
    kept: Vec<Session>,
}

impl Chats {
    pub(super) fn new(loaded: Loaded, request: ChatRequest) -> Self {
        let first = loaded.model.session(request);
        Self { session: first.fork(), first, loaded, kept: Vec::new() }
    }

    /// Does what a command says; what to tell about it.
    pub(super) fn obey(&mut self, command: &str, argument: &str) -> Result<String, Failure> {
        let said = match (command, argument) {
            ("/new", "") => {
                self.session = self.first.fork();
                "A new conversation."
            }
            ("/undo", "") if self.session.undo() => "Forgotten.",
            ("/undo", "") => "There is nothing to forget.",
            ("/regenerate", "") => {
                self.regenerate()?;
                ""
            }
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
            ("/save" | "/load" | "/read", "") => {
                return Err(wrong(format!("A file is needed: {command} FILE.")));
            }
            ("/save", file) => {
                let bytes = block_on(self.session.save())?;
                std::fs::write(file, &bytes).map_err(|error| about(Path::new(file), error))?;
                return Ok(format!("Saved to {file}, {:.1} MB.", bytes.len() as f64 / 1e6));
            }
            ("/load", file) => {
                let bytes = std::fs::read(file).map_err(|error| about(Path::new(file), error))?;
                self.session = block_on(self.loaded.model.restore(&bytes))?;
                return Ok(format!("{file} goes on, after {} messages.", self.session.messages().len()));
            }
            ("/read", file) => {
                let text = std::fs::read_to_string(file).map_err(|error| about(Path::new(file), error))?;
                self.say(Message::user(text))?;
                ""
            }
            ("/system", text) => return self.system(text),
            ("/model", "") => return Ok(self.greeting()),
            ("/params", argument) => {
                let said = params::obey(&self.loaded.model, self.session.request_mut(), argument)?;
                self.renew_first();
                return Ok(said);
            }
            // Not /think and /no_think: those are words that Qwen3 itself knows.
            ("/thinking", "on" | "off") => {
                self.session.request_mut().enable_thinking = Some(argument == "on");
                self.renew_first();
                return Ok(format!("Thoughts are {argument}."));
            }
            ("/tool", "") => return Err(wrong("what the tool answers is needed: /tool TEXT")),
            ("/tool", answer) => {
                self.say(Message::tool(answer))?;
                ""
            }
            ("/tokens", "") => return self.tokens(),
            (command, _) => {
                return Err(wrong(format!(
                    "{command} does not know \"{argument}\"; /help says what it does"
                )));
            }
        };
        Ok(said.to_owned())
    }

    /// What is said of the model at the beginning.
    pub(super) fn greeting(&self) -> String {
        let info = self.loaded.model.info();
        format!("{} on {} ({}), {} tokens of context", info.name, info.gpu, info.backend, info.context_length)
    }

    /// A turn. The conversation goes on without one that fails, or is stopped before it begins.
    pub(super) fn say(&mut self, message: Message) -> Result<(), Failure> {
        let n = self.session.messages().len();
        self.session.push(message);
        self.answer(n)
    }

    fn regenerate(&mut self) -> Result<(), Failure> {
        let last = self.session.messages().iter().rposition(|message| message.role() == "user");
        let Some(last) = last else { return Err(wrong("there is no message to answer again")) };
        let before = self.session.fork();
        self.session.rewind(last + 1);
        let answered = self.answer(last);
        if self.session.messages().len() <= last {
            self.session = before;
        }
        answered
    }

    /// Answers the last message; without an answer only the first `n_kept` messages stay.
    fn answer(&mut self, n_kept: usize) -> Result<(), Failure> {
        let request = self.session.request();
        let is_form =
            request.response_format.is_some() || request.regex.is_some() || request.grammar.is_some();
        let rendering = if is_form { Rendering::AsWritten } else { Rendering::Markdown };
        let replied = stream(&self.loaded.model, request, rendering, interrupt::control);
        let taken = replied.and_then(|reply| self.take(&reply, n_kept));
        if taken.is_err() {
            self.session.rewind(n_kept);
        }
        taken
    }

    fn take(&mut self, reply: &ChatReply, n_kept: usize) -> Result<(), Failure> {
        if reply.finish_reason == FinishReason::Aborted && reply.ids.is_empty() {
            self.session.rewind(n_kept);
            note("Stopped before the reply began; your message is forgotten.");
            return Ok(());
        }
        self.session.take(reply)?;
        note(&summary(reply));
        if reply.finish_reason == FinishReason::ToolCalls {
            note("/tool TEXT tells the model what the tool answers.");
        }
        Ok(())
    }

    /// New conversations are made like this one from now on.
    fn renew_first(&mut self) {
        let messages = std::mem::take(&mut self.first.request_mut().messages);
        *self.first.request_mut() = ChatRequest { messages, ..self.session.request().clone() };
    }

    fn system(&mut self, text: &str) -> Result<String, Failure> {
        if text.is_empty() {
            let first = self.session.messages().first().filter(|message| message.role() == "system");
            let shown = first.map(serde_json::to_value).transpose()?;
            let text = shown.as_ref().and_then(|message| message["content"].as_str());
            return Ok(text.map_or("There is no system message.".into(), str::to_owned));
        }
        let changed = |session: &Session| {
            let mut request = session.request().clone();
            match request.messages.first_mut().filter(|message| message.role() == "system") {
                Some(message) => *message = Message::system(text),
                None => request.messages.insert(0, Message::system(text)),
            }
            self.loaded.model.session(request)
        };
        (self.first, self.session) = (changed(&self.first), changed(&self.session));
        Ok("The system message is another one, in new conversations too.".into())
    }

    fn tokens(&self) -> Result<String, Failure> {
        let n_messages = self.session.messages().len();
        let context = self.loaded.model.info().context_length;
        if n_messages == 0 {
            return Ok(format!("The conversation is empty, there is room for {context} tokens."));
        }
        let n_tokens = self.loaded.model.prompt_ids(self.session.request())?.len();
        let share = 100 * n_tokens / context;
        Ok(format!(
            "{n_messages} messages of {n_tokens} tokens, {share}% of the {context} that there is room for."
        ))
    }

    /// The same conversations with another model, and how that went. The old model makes room first, and returns if the new one
    /// cannot be loaded; it is an error if neither can.
    pub(super) fn with_model(self, source: &str) -> Result<(Self, Result<(), Failure>), Failure> {
        let files = match crate::model::files(source) {
            Ok(files) => files,
            Err(failure) => return Ok((self, Err(failure))),
        };
        let Self { loaded: Loaded { model, source: old, options }, first, session, kept } = self;
        let request = |session: Session| session.request().clone();
        let (first, session) = (request(first), request(session));
        let kept: Vec<ChatRequest> = kept.into_iter().map(request).collect();
        drop(model);
        let open = |files: ModelFiles, source: &str| -> Result<Self, Failure> {
            let model = crate::model::load_files(files, &options)?;
            Ok(Self {
                first: model.session(first.clone()),
                session: model.session(session.clone()),
                kept: kept.iter().map(|request| model.session(request.clone())).collect(),
                loaded: Loaded { model, source: source.to_owned(), options: options.clone() },
            })
        };
        match open(files, source) {
            Ok(chats) => Ok((chats, Ok(()))),
            Err(failure) => Ok((open(crate::model::files(&old)?, &old)?, Err(failure))),
        }
    }
}
