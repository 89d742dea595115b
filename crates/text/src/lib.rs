//! Everything between text and token ids: tokenizers in every file format Qwen ships, chat
//! templates rendered exactly as Python renders them, parsers for what a model answers, stop
//! rules, and the generation defaults a checkpoint brings along.
//!
//! This crate knows nothing of GPUs, files or threads: it takes bytes and gives values, natively
//! and on `wasm32-unknown-unknown` alike.
//!
//! ```
//! use qwill_text::{ChatInput, ChatTemplate, Family, ReplyEvent, ReplyParser, ReplyStart, Thinking};
//!
//! let template = ChatTemplate::builtin(Family::Qwen3)?;
//! let chat = ChatInput {
//!     messages: vec![serde_json::json!({"role": "user", "content": "Hi"})],
//!     thinking: Thinking::Off,
//!     ..ChatInput::default()
//! };
//! let prompt = template.render(&chat)?;
//! assert!(prompt.ends_with("<|im_start|>assistant\n<think>\n\n</think>\n\n"));
//!
//! let mut parser = ReplyParser::new(ReplyStart::Content);
//! let events = parser.push("<tool_call>{\"name\": \"now\", \"arguments\": {}}</tool_call>");
//! assert_eq!(events.last(), Some(&ReplyEvent::ToolCall { name: "now".into(), arguments: "{}".into() }));
//! # Ok::<(), qwill_text::Error>(())
//! ```

mod decode_stream;
mod error;
mod fim;
mod generation_config;
mod guard;
mod messages;
mod probe;
mod qwen1;
mod react;
mod reply;
mod stop;
mod tag_tokens;
mod template;
mod tokenizer;

pub use decode_stream::DecodeStream;
pub use error::Error;
pub use fim::{FIM_STOP_TOKENS, RepoFile, fim_ids, fim_prompt, repo_fim_prompt};
pub use generation_config::GenerationConfig;
pub use guard::unguarded;
pub use qwen1::qwen1_prompt;
pub use react::REACT_STOP;
pub use reply::{
    ReactParser, ReplyEvent, ReplyParser, ReplyStart, ReplyTag, THINKING_BUDGET_END, ThoughtsEnd,
    ToolCallDelta, Visibility,
};
pub use stop::{StopRules, StopStep};
pub use tag_tokens::TagTokens;
pub use template::{ChatInput, ChatTemplate, Family, GenerationPrompt, Thinking};
pub use tokenizer::{GgufTokenizer, Specials, SpecialsOut, TemplateUse, Tokenizer, TokenizerConfig};
