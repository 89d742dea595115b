//! The command line.

use std::path::PathBuf;

use clap::Parser;

/// A chat window for Qwen models on your own GPU.
#[derive(Debug, Clone, Default, Parser)]
#[command(name = "qwill-desktop", version)]
pub struct Args {
    /// The model: a GGUF file, a folder, an id of the hub, or `demo`; otherwise the one of last time.
    #[arg(short, long)]
    pub model: Option<String>,
    /// Where conversations and settings are kept, instead of the user's own folder.
    #[arg(long, value_name = "FOLDER")]
    pub data: Option<PathBuf>,
    /// Part of the name of the GPU, instead of the one in the settings.
    #[arg(long, value_name = "NAME")]
    pub gpu: Option<String>,
    /// A message that is sent when the model is loaded.
    #[arg(long, value_name = "TEXT")]
    pub say: Option<String>,
    /// For tests: steps that are done by themselves, separated by commas, and then the window closes.
    #[arg(long, value_name = "STEPS", hide = true)]
    pub script: Option<String>,
}
