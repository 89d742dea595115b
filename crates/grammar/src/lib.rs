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
//!
//! # JSON schemas
//!
//! Drafts 4, 6, 7, 2019-09 and 2020-12. What is written under a schema that is accepted is what the schema describes; what cannot
//! be kept is refused by its name and its place, before anything is written:
//!
//! - `not`, `if`, `dependentRequired`, `dependentSchemas`, `dependencies`, `contains`, `uniqueItems`, `propertyNames`,
//!   `unevaluatedItems` and `unevaluatedProperties` beside other schemas, `oneOf` whose options no key tells apart, references out
//!   of the schema and dynamic ones, look-around in patterns, formats beyond dates, times, durations, e-mail and IP addresses, host
//!   names, URIs and UUIDs;
//! - `minProperties` above the keys that are required, where keys are free; patterns for keys of which two may match the same key;
//! - numbers in `const`, `enum` and `multipleOf` that a 64-bit float does not hold.
//!
//! Some is kept more narrowly than it is meant: keys come in the order of the schema, e-mail addresses and host names have 60
//! characters at most, no minute has 61 seconds, multiples are no larger than what every reader divides exactly. Numbers without
//! bounds may be larger than a 64-bit float.
//!
//! Of the 782 schemas in JSON Schema's published tests for drafts 7 and 2020-12, 445 are accepted; of their 1245 valid instances
//! 1143 can be written, of their 1081 invalid ones none (`tests/suite.rs`). Most of the others need `$ref` to other documents (90),
//! `unevaluated…`, `contains`, `if` or `not`.
//!
//! # Limits
//!
//! A grammar has 256 KiB and 4000 lines at most, a schema is nested 128 deep at most, and llguidance gives up where a grammar's
//! lexer or its ambiguity grows too large (`tests/limits.rs`): that is an error of the request, as a panic of llguidance's is.

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
pub use schema::whole_text;
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
