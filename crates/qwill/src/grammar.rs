//! What follows grammars, for replies of a form.
//!
//! The feature `grammar` brings an engine, and there is nothing to do. A build without it, as that for browsers is, may bring one
//! of its own: [`Model::missing_vocabulary`](crate::Model::missing_vocabulary) says when it is needed.

#[cfg(not(feature = "grammar"))]
mod absent;
#[cfg(feature = "grammar")]
mod native;

use std::sync::{Arc, Mutex};

pub use qwill_grammar::{Encode, Grammar, Vocabulary};
pub use qwill_scheduler::Constraint;
use qwill_text::{Specials, Tokenizer};

use crate::Error;

#[cfg(not(feature = "grammar"))]
pub(crate) use absent::make_engine;
#[cfg(feature = "grammar")]
pub(crate) use native::make_engine;

/// Follows grammars over the tokens of a model.
pub trait Engine: Send + Sync {
    /// The beginning of a text that a grammar describes.
    ///
    /// # Errors
    /// If the grammar makes no sense, or asks for what is not supported, by name.
    fn compile(&self, grammar: &Grammar) -> Result<Box<dyn Constraint>, Error>;
}

impl From<qwill_grammar::Error> for Error {
    fn from(error: qwill_grammar::Error) -> Self {
        Self::Request(error.to_string())
    }
}

/// A model's engine, when there is one.
pub(crate) type Slot = Mutex<Option<Arc<dyn Engine>>>;

/// The tokens of a tokenizer, of which `ends` end a text.
pub(crate) fn vocabulary(tokenizer: &Tokenizer, ends: &[u32]) -> Vocabulary {
    let bytes = |id: u32| {
        let bytes = tokenizer.token_bytes(id).unwrap_or_default();
        let is_written = !tokenizer.is_added(id) && !tokenizer.is_special(id);
        if is_written { bytes } else { Vocabulary::special(&String::from_utf8_lossy(&bytes)) }
    };
    let tokens = (0..tokenizer.n_tokens() as u32).map(bytes).collect();
    let tokenizer = tokenizer.clone();
    let encode = move |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        tokenizer.encode(&text, Specials::AsText).unwrap_or_default()
    };
    Vocabulary { tokens, ends: ends.to_vec(), encode: Box::new(encode) }
}
