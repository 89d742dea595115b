//! What a person does, what the program has done, and what happens.

use std::path::PathBuf;

use qwill::{ChatRequest, LoadOptions};

use super::Panel;
use crate::conversation::{Conversation, Outcome};
use crate::settings::Settings;

/// The form of an exported conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Export {
    /// For people.
    Markdown,
    /// For programs.
    Json,
}

impl Export {
    /// The ending of a file's name.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Markdown => "md",
            Self::Json => "json",
        }
    }
}

/// What a person wants.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Send what was written.
    Send,
    /// End the reply.
    Stop,
    /// Another reply to the last question.
    Regenerate,
    /// Write a message anew; what follows it is forgotten when it is sent.
    Edit(usize),
    /// Write the last question anew.
    EditLast,
    /// Leave the message as it is.
    CancelEdit,
    /// A copy that ends with a message.
    Fork(usize),
    /// A new conversation.
    New,
    /// Open a conversation.
    Open(u64),
    /// Give the conversation the title that was written.
    Rename,
    /// Remove a conversation.
    Remove(u64),
    /// Write the open conversation to a file.
    Export(Export),
    /// Other settings.
    Choose(Box<Settings>),
    /// Open a panel, or none.
    Show(Option<Panel>),
    /// Ask whether the model that is being chosen fits.
    Plan,
    /// Load it.
    Load,
    /// Load the model of the settings.
    LoadAgain,
    /// Stop loading.
    CancelLoad,
    /// The notice was read.
    Dismiss,
}

/// What is to be done outside of the state.
#[derive(Debug, Clone)]
pub enum Effect {
    /// Make a reply.
    Reply {
        /// Its number.
        id: u64,
        /// What is asked.
        request: Box<ChatRequest>,
    },
    /// End a reply.
    StopReply(u64),
    /// Write a conversation.
    Keep(Box<Conversation>),
    /// Remove its file.
    Remove(u64),
    /// Write it for somebody else.
    Export(Box<Conversation>, Export),
    /// Write settings.
    KeepSettings(Box<Settings>),
    /// Load a model instead of the one that is loaded.
    Load {
        /// Its name.
        source: String,
        /// How.
        options: Box<LoadOptions>,
    },
    /// Find out whether a model fits.
    Plan {
        /// Its name.
        source: String,
        /// How it would be loaded.
        options: Box<LoadOptions>,
    },
    /// Stop loading.
    CancelLoad,
    /// See which models lie in the hub's cache.
    ListCached,
}

/// What a loaded model is.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelFacts {
    /// The name that it was loaded by.
    pub source: String,
    /// Its own name.
    pub name: String,
    /// Family, size, GPU and memory, for people.
    pub summary: String,
    /// Tokens of prompt and reply.
    pub context_length: usize,
    /// Its own sampling settings, which hold where the person has chosen none.
    pub temperature: f32,
    /// Tokens of the most likely ones.
    pub top_k: u32,
    /// Their probability together.
    pub top_p: f32,
}

/// Whether a model fits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plan {
    /// It is being found out.
    Asked,
    /// What it takes, in words.
    Fits(String),
    /// Why it does not, or cannot be known.
    No(String),
}

/// What has happened to a model.
#[derive(Debug, Clone)]
pub enum ModelReport {
    /// It is on its way.
    Loading {
        /// What is being done.
        doing: String,
        /// Bytes that are done, of how many.
        bytes: (u64, u64),
    },
    /// It can be asked.
    Loaded(Box<ModelFacts>),
    /// It could not be loaded.
    Failed(String),
    /// It was given up, as a person wanted.
    Cancelled,
    /// Whether another one fits.
    Planned {
        /// Its name.
        source: String,
        /// The answer.
        plan: Plan,
    },
}

/// What has happened.
#[derive(Debug, Clone)]
pub enum Report {
    /// More of a long prompt was read.
    Read {
        /// The reply's number.
        id: u64,
        /// So many tokens.
        n_read: usize,
        /// Of these.
        n_tokens: usize,
    },
    /// More of the thoughts.
    Thought {
        /// The reply's number.
        id: u64,
        /// The text.
        text: String,
    },
    /// More of the text.
    Text {
        /// The reply's number.
        id: u64,
        /// The text.
        text: String,
    },
    /// How fast it is.
    Speed {
        /// The reply's number.
        id: u64,
        /// Tokens after the first a second.
        tokens_per_second: f64,
    },
    /// A reply has ended.
    Done {
        /// The reply's number.
        id: u64,
        /// How.
        outcome: Outcome,
    },
    /// A reply could not be made.
    ReplyFailed {
        /// The reply's number.
        id: u64,
        /// Why.
        reason: String,
    },
    /// The models in the hub's cache, by id.
    Cached(Vec<String>),
    /// A conversation was written for somebody else.
    Exported(PathBuf),
    /// Something else went wrong.
    Problem(String),
    /// Something about models.
    Model(ModelReport),
}
