//! What can go wrong, said so that the owner of a file or a conversation can act on it.

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file that should hold JSON does not.
    #[error("{file} is not valid: {source}")]
    Json {
        /// Which of the model's files it was.
        file: &'static str,
        /// Position and reason, from the JSON reader.
        source: serde_json::Error,
    },
    /// A tokenizer file that cannot be used.
    #[error("{file} does not describe a tokenizer that qwill can use: {reason}")]
    Tokenizer {
        /// Which of the model's files it was.
        file: &'static str,
        /// What is missing or not supported.
        reason: String,
    },
    /// The tokenizer failed at a text.
    #[error("the text cannot be turned into tokens: {0}")]
    Encode(String),
    /// A chat template that does not parse, or that failed while rendering.
    #[error("chat template{}: {message}", line.map(|n| format!(", line {n}")).unwrap_or_default())]
    Template {
        /// Line in the template, counted from 1, where known.
        line: Option<usize>,
        /// What went wrong there.
        message: String,
    },
    /// The template itself refused the conversation through `raise_exception`; its own words.
    #[error("the chat template refuses this conversation: {0}")]
    Refused(String),
    /// A conversation of the wrong shape.
    #[error("{0}")]
    Conversation(String),
    /// A key of a configuration file has a value that makes no sense.
    #[error("{file}: {key} {reason}")]
    Config {
        /// Which of the model's files it was.
        file: &'static str,
        /// The key.
        key: &'static str,
        /// What is wrong with its value.
        reason: String,
    },
}

impl Error {
    pub(crate) fn tokenizer(file: &'static str, reason: impl Into<String>) -> Self {
        Self::Tokenizer { file, reason: reason.into() }
    }
}
