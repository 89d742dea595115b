//! Qwen language models on the user's own GPU: WGSL kernels through wgpu, the same natively and in browsers.
//!
//! ```no_run
//! # async fn example() -> Result<(), qwill::Error> {
//! use qwill::{ChatRequest, Control, LoadOptions, Model, ModelFiles};
//!
//! let files = ModelFiles::from_path("Qwen3-0.6B-Q8_0.gguf")?;
//! let mut model = Model::load(files, &LoadOptions::default(), &mut |_| Control::Continue).await?;
//! let request = ChatRequest::user("Why is the sky blue?");
//! let reply = model.chat(&request, &mut |event| { print!("{}", event.text()); Control::Continue }).await?;
//! println!("\n{} tokens", reply.usage.completion_tokens);
//! # Ok(()) }
//! ```
//!
//! A [`Model`] holds one sequence and its cache; a conversation that goes on reuses what it has in common with the
//! last one. Nothing here blocks a browser's event loop: every call that waits for the GPU is async.

mod bench;
mod chat;
mod control;
mod device_memory;
mod driver;
mod engine;
mod error;
mod eval;
mod files;
mod gguf_file;
#[cfg(all(feature = "hub", not(target_arch = "wasm32")))]
pub mod hub;
mod inspect;
mod load_options;
mod loader;
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
mod settings;
mod setup;
mod spread;
mod timings;
mod weight_format;

pub use bench::{BenchReport, BenchRequest, BenchRun};
pub use chat::{
    ChatChoices, ChatEvent, ChatReply, ChatRequest, ChatStream, ChoiceEvent, CompletionLogprobs,
    FinishReason, ReplyLogprobs, TokenLogprob, ToolCall, TopLogprob, Usage,
};
pub use control::{Control, LoadProgress};
pub use device_memory::{DeviceMemory, Room};
pub use error::Error;
pub use eval::{EvalCase, EvalReply, Logprob, Pooled, WantedLogits};
pub use files::ModelFiles;
pub use inspect::{Inspection, TensorSummary};
pub use load_options::LoadOptions;
pub use lora::{AdapterInfo, AdapterUse};
pub use memory::{Fit, MemoryPlan};
pub use model::{Model, ModelInfo};
pub use new_file::Existing;
pub use pooled::Scores;
pub use profile::{KernelProfile, ProfileReport, ProfileRequest, StepProfile};
pub use quantize::quantize;
pub use qwill_gpu as gpu;
pub use qwill_kernels::{KvType, Tuning};
pub use qwill_models as models;
pub use qwill_models::RopeScaling;
pub use qwill_text as text;
pub use qwill_weights as weights;
pub use random::{RandomModel, RandomTokenizer};
pub use settings::SamplingOptions;
pub use spread::Spread;
pub use timings::Timings;
pub use weight_format::{NoWeightFormat, WeightFormat};
