//! Qwen language models on the user's own GPU: WGSL kernels through wgpu, the same natively and in browsers.
//!
//! ```no_run
//! # async fn example() -> Result<(), qwill::Error> {
//! use qwill::{ChatEvent, ChatRequest, Control, LoadOptions, Model, ModelFiles};
//!
//! let files = ModelFiles::from_path("Qwen3-0.6B-Q8_0.gguf")?;
//! let model = Model::load(files, &LoadOptions::default(), &mut |_| Control::Continue).await?;
//! let mut stream = model.chat(&ChatRequest::user("Why is the sky blue?"))?;
//! while let Some(event) = stream.next().await {
//!     print!("{}", event?.text());
//! }
//! println!("\n{} tokens", stream.reply().await?.usage.completion_tokens);
//! # Ok(()) }
//! ```
//!
//! Programs that run as they stand are in `crates/qwill/examples`: `chat` (smol), `parallel` (tokio), `axum` (a server),
//! `embed` (plain threads), `session` (a conversation that goes on and forks).
//!
//! # Loading
//!
//! [`ModelFiles`] are the files: a path, sources of bytes, or the demo. [`Model::load`] brings them onto the GPU;
//! [`LoadOptions`] say how long the context is, how many texts run at a time, in which format weights and cache lie, and on
//! which of the [`Gpus`]. A program that draws with wgpu shares its device: the module `gpu`, native only. Before a download, [`Model::check`] tells whether there is room, and [`Inspection`] what a model is
//! and takes, both from headers alone. [`quantize`] and [`RandomModel`] write GGUF files.
//!
//! # Threads, and ending a reply
//!
//! A [`Model`] is a handle: `Clone + Send + Sync`, its methods take `&self`. The engine has a thread of its own natively, and
//! in browsers it is a task of the tab. Requests that overlap run together, up to [`LoadOptions::max_sequences`] at a time;
//! others wait for their turn. Every call that waits is a future which any executor drives, `pollster::block_on` included,
//! and a future or [`ChatStream`] that is dropped ends its work at once: a timeout is `tokio::select!` or whatever your
//! executor calls it. [`ChatStream::stop`] ends a reply and keeps what there is. A lost device is opened again and what ran on
//! it goes on.
//!
//! # Chats
//!
//! [`ChatRequest`] and [`Message`] have OpenAI's shape, in Rust and as JSON; [`SamplingOptions`] default to what the model's
//! files say. [`Model::chat`] gives a [`ChatStream`] of [`ChatEvent`]s, and in the end a [`ChatReply`]. A conversation is its
//! messages: what two requests begin with in common is read once, as long as the cache has room
//! ([`LoadOptions::cache_tokens`]). A [`Session`] is a conversation that goes on, forks, is rewound, saved and restored.
//!
//! # Tools
//!
//! [`ChatRequest::tools`] are JSON schemas in OpenAI's shape. Calls arrive in parts as
//! [`ChatEvent::ToolCallDelta`], whole as [`ChatEvent::ToolCall`], and in [`ChatReply::tool_calls`]; the conversation goes on with [`ChatReply::message`] and a [`Message::tool`] for each.
//!
//! # Replies of a form
//!
//! [`ChatRequest::response_format`] asks for JSON that a schema describes, [`ChatRequest::regex`] and [`ChatRequest::grammar`]
//! for other texts, [`ChatRequest::tool_choice`] for calls. Tokens that do not fit are never drawn, so that a reply which ends by
//! itself ([`FinishReason::Stop`]) has the form; thoughts before it are free, and cut by [`ChatRequest::thinking_budget`] only. A
//! limit on tokens cuts the form too ([`FinishReason::Length`]), unless its last token completes it. What cannot be followed is
//! refused before anything is generated, by its name and its place in the schema.
//!
//! # Decisions
//!
//! [`Model::decide`] answers questions about a text with probabilities: yes or no, one of several choices, a place on a scale.
//! The text is read once, whatever the number of questions, and nothing is drawn. The module [`decide`] says how.
//!
//! # Embeddings, reranking, scores
//!
//! [`Model::embed`], [`Model::rerank`] and [`Model::score`], for the checkpoints that were trained for them. [`Model::eval`]
//! gives exact log-likelihoods and logits of any.
//!
//! # Adapters
//!
//! [`Model::load_adapter`] puts a low-rank adapter (LoRA) beside the weights; [`ChatRequest::adapters`] chooses, request by
//! request.
//!
//! # How fast it is
//!
//! [`Model::bench`] and [`Model::profile`].
//!
//! # Cargo features
//!
//! - `demo` embeds the small model that ships with the project: `ModelFiles::demo`.
//! - `grammar` (on by default) lets replies follow a form; without it the module [`grammar`] says how to bring what does.
//! - `hub` finds models by id and downloads them from the Hugging Face hub: the module `hub`, native only.

mod bench;
#[cfg(not(target_arch = "wasm32"))]
mod cache_folder;
mod chat;
pub mod decide;
mod device_memory;
mod driver;
mod error;
mod eval;
mod files;
mod findings_file;
mod gguf_file;
mod gguf_metadata;
#[cfg(not(target_arch = "wasm32"))]
pub mod gpu;
mod gpus;
pub mod grammar;
#[cfg(all(feature = "hub", not(target_arch = "wasm32")))]
pub mod hub;
mod inspect;
mod lfs;
mod load_options;
mod lora;
mod memory;
mod model;
mod new_file;
mod opened;
mod pooled;
mod profile;
mod quantize;
mod random;
mod requests;
mod self_test;
mod session;
mod settings;
mod setup;
mod spread;
mod templates;
mod timings;
mod weight_format;

pub use bench::{BenchReport, BenchRequest, BenchRun, ParallelRun};
#[cfg(not(target_arch = "wasm32"))]
pub use cache_folder::cache_folder;
pub use chat::{
    ChatChoices, ChatEvent, ChatReply, ChatRequest, ChatStream, ChoiceEvent, CompletionLogprobs,
    FinishReason, GrammarSyntax, GrammarText, Message, NamedSchema, ReplyLogprobs, ResponseFormat,
    Speculation, TokenLogprob, ToolCall, ToolCallDelta, ToolChoice, TopLogprob, Usage,
};
pub use device_memory::{DeviceMemory, Room};
pub use error::Error;
pub use eval::{EvalCase, EvalReply, Logprob, Pooled, WantedLogits};
pub use files::ModelFiles;
pub use gpus::{GpuInfo, Gpus};
pub use inspect::{Inspection, TensorSummary};
pub use load_options::LoadOptions;
pub use lora::AdapterUse;
pub use memory::{Fit, MemoryPlan};
pub use model::{Model, ModelInfo};
pub use new_file::Existing;
pub use pooled::Scores;
pub use profile::{KernelProfile, ProfileReport, ProfileRequest, StepProfile};
pub use quantize::quantize;
pub use qwill_engine::{AdapterInfo, Control, LoadProgress, TensorError};
pub use qwill_kernels::self_test::Findings;
pub use qwill_kernels::{KvType, Tuning};
pub use qwill_models::RopeScaling;
pub use random::{RandomModel, RandomTokenizer};
pub use self_test::{DeviceFindings, SelfTest};
pub use session::Session;
pub use settings::SamplingOptions;
pub use spread::{Percentiles, Spread};
pub use timings::Timings;
pub use weight_format::{NoWeightFormat, WeightFormat};

/// What stands between texts and token ids: [`Model::tokenizer`] and [`Model::tokenize`] speak of it.
pub mod text {
    pub use qwill_text::{Error, GenerationConfig, Specials, SpecialsOut, Tokenizer};
}

/// Where the bytes of model files come from: for [`ModelFiles::from_sources`].
pub mod weights {
    #[cfg(not(target_arch = "wasm32"))]
    pub use qwill_weights::FileSource;
    pub use qwill_weights::{ByteSource, Error, MemorySource};
}
