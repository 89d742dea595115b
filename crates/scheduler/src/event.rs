//! What came of requests.

use qwill_models::step::{Logprobs, Sampled};

use crate::request::RequestId;

/// Something that happened to a request.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Which one.
    pub id: RequestId,
    /// What.
    pub what: What,
}

/// What may happen to a request.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// Its first step has run. Once a request, before anything else.
    Started {
        /// Tokens that were not read, because the cache held them.
        n_cached: usize,
    },
    /// More of the text that was given has been read.
    Progress {
        /// So many tokens.
        n_read: usize,
        /// Of these.
        n_tokens: usize,
    },
    /// A token was drawn.
    Token(Sampled),
    /// Tokens were guessed; those that were right were drawn.
    Guessed {
        /// So many.
        n_guessed: usize,
        /// Of these.
        n_right: usize,
    },
    /// How likely a token was that was read.
    Logprobs {
        /// Position in the text of the token before it, after which it was likely or not.
        row: usize,
        /// How likely.
        logprobs: Logprobs,
    },
    /// What the head gave for a token that was read.
    Scores {
        /// Position of the token in the text.
        row: usize,
        /// As wide as the head.
        values: Vec<f32>,
    },
    /// The state of a token that was read.
    State {
        /// Position of the token in the text.
        row: usize,
        /// As wide as the model.
        values: Vec<f32>,
    },
    /// What limits its tokens failed; that ends it.
    Broken {
        /// Why.
        reason: String,
    },
    /// It is done, and forgotten.
    Finished(End),
}

/// Why a request is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// As many tokens were drawn as it allowed.
    MaxTokens,
    /// The context is full.
    Context,
    /// All that was wanted was read.
    Read,
    /// Nothing may follow what was drawn.
    Complete,
    /// What limited its tokens failed, see [`What::Broken`].
    Broken,
}

/// What is in use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Pages that texts use.
    pub n_used: usize,
    /// Those among them that several texts use.
    pub n_shared: usize,
    /// Pages that no text uses, kept for texts that begin like the ones they are of.
    pub n_cached: usize,
    /// Pages that hold nothing of use.
    pub n_free: usize,
    /// Texts that have a slot.
    pub n_running: usize,
    /// Texts that wait for a slot, for pages, or for another that reads what they begin with.
    pub n_waiting: usize,
    /// Steps that are out.
    pub n_steps: usize,
}
