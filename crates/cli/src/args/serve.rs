//! Arguments of `qwill serve`.

use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;

use super::SetupArgs;

/// A model that is served, under the name that requests use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServedArg {
    pub(crate) name: String,
    pub(crate) source: String,
}

impl FromStr for ServedArg {
    type Err = String;

    /// `NAME=SOURCE`, or a source whose own name serves.
    fn from_str(text: &str) -> Result<Self, String> {
        let (name, source) = match text.split_once('=') {
            Some((name, source)) => (name, source),
            None => (own_name(text), text),
        };
        if name.is_empty() || source.is_empty() {
            return Err("a name, = and a model are needed, as in small=Qwen3-0.6B-Q8_0.gguf".to_owned());
        }
        Ok(Self { name: name.to_owned(), source: source.to_owned() })
    }
}

/// What a file or directory is called, or an id on a hub.
fn own_name(source: &str) -> &str {
    let last = source.trim_end_matches(['/', '\\']).rsplit(['/', '\\']).next().unwrap_or(source);
    last.strip_suffix(".gguf").unwrap_or(last)
}

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// A model, and what requests call it [default: what it is called]: a GGUF file, a Hugging Face directory, a hub id
    /// (OWNER/NAME[:TAG][@REVISION]), or "demo" (may be given several times; requests that name none mean the first)
    #[arg(short, long, value_name = "[NAME=]MODEL", default_value = "demo")]
    pub(crate) model: Vec<ServedArg>,
    #[command(flatten)]
    pub(crate) setup: SetupArgs,
    /// The address to listen at; others than this machine's own let the network ask
    #[arg(long, value_name = "ADDRESS", env = "QWILL_HOST", default_value = "127.0.0.1")]
    pub(crate) host: IpAddr,
    /// The port; 0 takes a free one
    #[arg(long, value_name = "N", env = "QWILL_PORT", default_value_t = 8080)]
    pub(crate) port: u16,
    /// Answer only requests with this key (may be given several times)
    #[arg(long, value_name = "KEY", env = "QWILL_API_KEY", hide_env_values = true, value_delimiter = ',')]
    pub(crate) api_key: Vec<String>,
    /// The same with the keys of a file, one a line
    #[arg(long, value_name = "FILE")]
    pub(crate) api_key_file: Option<PathBuf>,
    /// Let web pages of this origin ask, such as https://example.org, or * for all (may be given several times)
    #[arg(long, value_name = "ORIGIN")]
    pub(crate) cors: Vec<String>,
    /// Load a model when it is asked for first, not at the start
    #[arg(long)]
    pub(crate) lazy: bool,
    /// Models that are loaded at a time; the one that was not asked for the longest is put away [default: as many as fit]
    #[arg(long, value_name = "N")]
    pub(crate) max_loaded: Option<usize>,
    /// Replies of a model that run or wait at a time; more are refused with 429
    #[arg(long, value_name = "N", default_value_t = 256)]
    pub(crate) max_requests: usize,
    /// Tokens of a prompt [default: as many as the context holds]
    #[arg(long, value_name = "N")]
    pub(crate) max_prompt: Option<usize>,
    /// Megabytes of a request
    #[arg(long, value_name = "N", default_value_t = 16)]
    pub(crate) max_body: usize,
    /// Let requests save conversations in this folder, and restore them
    #[arg(long, value_name = "FOLDER")]
    pub(crate) sessions: Option<PathBuf>,
    /// Seconds that a request may take, its wait included
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    pub(crate) timeout: u64,
    /// Seconds that running replies have to end when the server is told to
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    pub(crate) drain: u64,
}

#[cfg(test)]
mod tests {
    use super::ServedArg;

    #[test]
    fn models_have_their_own_names_or_given_ones() {
        for (text, name, source) in [
            ("demo", "demo", "demo"),
            ("a/Qwen3-0.6B-Q8_0.gguf", "Qwen3-0.6B-Q8_0", "a/Qwen3-0.6B-Q8_0.gguf"),
            ("Qwen/Qwen3-8B-GGUF:Q4_K_M", "Qwen3-8B-GGUF:Q4_K_M", "Qwen/Qwen3-8B-GGUF:Q4_K_M"),
            ("./Qwen3-0.6B/", "Qwen3-0.6B", "./Qwen3-0.6B/"),
            ("small=x.gguf", "small", "x.gguf"),
        ] {
            assert_eq!(text.parse(), Ok(ServedArg { name: name.into(), source: source.into() }));
        }
        assert!("=x".parse::<ServedArg>().is_err() && "x=".parse::<ServedArg>().is_err());
    }
}
