//! What a server allows.

use std::path::PathBuf;
use std::time::Duration;

/// What a server allows.
#[derive(Debug, Clone)]
pub struct Options {
    /// Keys, one of which every request must show; none: anybody may ask.
    pub keys: Vec<String>,
    /// Origins whose web pages may ask, such as `https://example.org`, or `*`; none: only those of the server itself.
    pub origins: Vec<String>,
    /// Models that are loaded at a time; absent: as many as fit.
    pub max_loaded: Option<usize>,
    /// Replies of one model that run or wait at a time; more are refused with 429.
    pub max_requests: usize,
    /// Bytes of a request.
    pub max_body_bytes: usize,
    /// Tokens of a prompt; absent: as many as the context holds.
    pub max_prompt_tokens: Option<usize>,
    /// Where conversations may be saved; absent: nowhere.
    pub sessions_folder: Option<PathBuf>,
    /// How long a request may take, its wait included.
    pub request_timeout: Duration,
    /// How long a client may take to send its request, or to take the next piece of a reply.
    pub client_timeout: Duration,
    /// How long running replies may take to end when the server is told to; then they end where they are.
    pub drain_timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            keys: Vec::new(),
            origins: Vec::new(),
            max_loaded: None,
            max_requests: 256,
            max_body_bytes: 16 << 20,
            max_prompt_tokens: None,
            sessions_folder: None,
            request_timeout: Duration::from_secs(600),
            client_timeout: Duration::from_secs(30),
            drain_timeout: Duration::from_secs(30),
        }
    }
}
