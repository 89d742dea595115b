//! Which tokens may follow what was written, by a grammar: JSON schemas, regular expressions, Lark and GBNF. The work is
//! llguidance's; here is what a model's vocabulary looks like to it, and which grammars there are.
//!
//! ```
//! # #[cfg(feature = "engine")]
//! # fn main() -> Result<(), qwill_grammar::Error> {
//! use qwill_grammar::{Grammar, Grammars, Vocabulary};
//!
//! // every byte is a token, and one ends the text
//! let mut tokens: Vec<Vec<u8>> = (0..=255).map(|byte| vec![byte]).collect();
//! tokens.push(Vocabulary::special("<|im_end|>"));
//! let vocabulary = Vocabulary { tokens, ends: vec![256], encode: Box::new(|text| text.iter().map(|&b| b.into()).collect()) };
//! let grammars = Grammars::new(vocabulary)?;
//! let mut matcher = grammars.compile(&Grammar::Regex("(yes|no)".into()))?;
//! let mut bits = [0u32; 9];
//! matcher.allow(&mut bits)?;
//! assert_eq!(bits[3], 1 << (b'y' - 96) | 1 << (b'n' - 96));
//! matcher.take(b'y'.into())?;
//! assert_eq!(matcher.force()?, [u32::from(b'e'), u32::from(b's')]);
//! assert!(matcher.is_over());
//! # Ok(()) }
//! # #[cfg(not(feature = "engine"))]
//! # fn main() {}
//! ```
//!
//! Without the feature `engine` there are the words for grammars and vocabularies, and nothing that follows them: for a program
//! that leaves the work to another module.

#[cfg(feature = "engine")]
mod environment;
#[cfg(feature = "engine")]
mod gbnf;
mod grammar;
#[cfg(feature = "engine")]
mod grammars;
#[cfg(feature = "engine")]
mod locate;
#[cfg(feature = "engine")]
mod matcher;
#[cfg(feature = "engine")]
mod own_stack;
mod schema;
mod vocabulary;
#[cfg(feature = "engine")]
mod words;

pub use grammar::{Grammar, for_lark};
#[cfg(feature = "engine")]
pub use grammars::Grammars;
#[cfg(feature = "engine")]
pub use matcher::Matcher;
pub use vocabulary::{Encode, Vocabulary};

/// A grammar that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It makes no sense, or asks for what is not supported.
    #[error("the {kind} cannot be followed: {reason}")]
    Grammar {
        /// What it is.
        kind: &'static str,
        /// What is wrong with it, in llguidance's words.
        reason: String,
    },
    /// The vocabulary does not fit llguidance.
    #[error("grammars cannot be followed with this vocabulary: {0}")]
    Vocabulary(String),
    /// Nothing can be said of what may follow.
    #[error("{0}")]
    Matcher(String),
}
