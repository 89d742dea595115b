//! Arguments of `qwill batch`.

use std::path::PathBuf;

use clap::Args;

use super::{ServedArg, SetupArgs};

#[derive(Debug, Args)]
pub(crate) struct BatchArgs {
    /// Requests in OpenAI's batch format, a JSON object a line: {"custom_id","method":"POST","url","body"}
    #[arg(value_name = "IN.jsonl")]
    pub(crate) input: PathBuf,
    /// Where answers go, in the order of the requests; those that are there already are kept
    #[arg(value_name = "OUT.jsonl")]
    pub(crate) output: PathBuf,
    /// A model, and what requests call it [default: what it is called]: a GGUF file, a Hugging Face directory, a hub id
    /// (OWNER/NAME[:TAG][@REVISION]), or "demo" (may be given several times; requests that name none mean the first)
    #[arg(short, long, value_name = "[NAME=]MODEL", default_value = "demo")]
    pub(crate) model: Vec<ServedArg>,
    #[command(flatten)]
    pub(crate) setup: SetupArgs,
    /// Requests that are on their way at a time
    #[arg(long, value_name = "N", default_value_t = 32)]
    pub(crate) parallel: usize,
}
