//! Everything between text and token ids: tokenizers in every file format Qwen ships, chat
//! templates rendered exactly as Python renders them, parsers for what a model answers, stop
//! rules, and the generation defaults a checkpoint brings along.
//!
//! This crate knows nothing of GPUs, files or threads: it takes bytes and gives values, natively
//! and on `wasm32-unknown-unknown` alike.

mod decode_stream;
mod error;
mod generation_config;
mod qwen1;
mod reply;
mod stop;
mod template;
mod tokenizer;

pub use decode_stream::DecodeStream;
pub use error::Error;
pub use generation_config::GenerationConfig;
pub use qwen1::qwen1_prompt;
pub use reply::{ReplyEvent, ReplyParser, ReplyStart, THINKING_BUDGET_END};
pub use stop::{StopRules, StopStep};
pub use template::{ChatInput, ChatTemplate, Family, GenerationPrompt, Thinking};
pub use tokenizer::{GgufTokenizer, Specials, SpecialsOut, TemplateUse, Tokenizer, TokenizerConfig};
