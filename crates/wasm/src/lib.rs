//! The surface that `npm/` sees: wasm-bindgen glue over the `qwill` crate, nothing else.
//!
//! `npm/src/engine.ts` describes the same surface from the other side. Plain values cross as JSON, bytes and
//! logits as typed arrays, errors as JavaScript errors with a `code`.
#![cfg(target_arch = "wasm32")]

mod abort;
mod convert;
mod file;
mod grammars;
mod model;
mod panic;
mod plan;
mod replies;
mod session;

pub use abort::AbortSignal;
pub use file::JsFile;
pub use grammars::JsGrammarModule;
pub use model::Model;
pub use panic::on_panic;
pub use plan::{check, inspect};
pub use session::Session;
