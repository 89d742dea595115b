//! Qwen models over HTTP, in the interfaces that programs know already.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use pollster::block_on;
//! use qwill::{Control, LoadOptions, Model, ModelFiles};
//! use qwill_server::{LoadAt, ModelSource, Options, Server};
//!
//! let load = || {
//!     let files = ModelFiles::from_path("Qwen3-0.6B-Q8_0.gguf")?;
//!     Ok(block_on(Model::load(files, &LoadOptions::default(), &mut |_| Control::Continue))?)
//! };
//! let server = Server::new(vec![ModelSource::new("qwen", LoadAt::Start, load)], Options::default())?;
//! server.load().await?;
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
//! server.serve(listener, std::future::pending()).await?;
//! # Ok(()) }
//! ```
//!
//! A dialect is a folder: OpenAI's, Anthropic's, Ollama's, and qwill's own routes. It
//! reads requests into qwill's and writes events in its own shapes. What they have in common is said once: which models there
//! are (`registry`), how a request runs (`running`), how replies are streamed (`stream`), who may ask (`front`).

mod anthropic;
mod app;
mod batch;
mod blocks;
mod dialect;
mod embedded;
mod failure;
mod fields;
mod front;
mod ids;
mod metrics;
mod native;
mod ollama;
mod openai;
mod options;
mod payload;
mod registry;
mod routes;
mod running;
mod server;
mod stream;
mod table;

pub use batch::{BatchError, BatchOptions, BatchSummary};
pub use options::Options;
pub use registry::{LoadAt, LoadError, ModelSource};
pub use server::{Error, Server};
