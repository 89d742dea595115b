//! How long a reply takes.

use serde::Serialize;
use web_time::Instant;

/// How long it took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Timings {
    /// From files to a model that can run.
    pub load_ms: f64,
    /// Until the first token was there.
    pub prefill_ms: f64,
    /// Prompt tokens (without those already in the cache) a second.
    pub prefill_tps: f64,
    /// From the first token to the last.
    pub decode_ms: f64,
    /// Tokens after the first a second.
    pub decode_tps: f64,
    /// To list the tokens that may follow, where something limits them: the median over the reply's tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mask_ms: Option<f64>,
    /// Tokens that were guessed, where some were.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub draft_n: Option<usize>,
    /// Those of them that were right.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub draft_n_accepted: Option<usize>,
}

/// Notes when tokens come.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    started: Instant,
    first: Option<Instant>,
    last: Option<Instant>,
    n_tokens: usize,
    /// Tokens that were guessed, and those of them that were right.
    guessed: Option<(usize, usize)>,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { started: Instant::now(), first: None, last: None, n_tokens: 0, guessed: None }
    }

    /// A token is there.
    pub(crate) fn token(&mut self) {
        let now = Instant::now();
        self.first.get_or_insert(now);
        self.last = Some(now);
        self.n_tokens += 1;
    }

    /// Tokens were guessed.
    pub(crate) fn guessed(&mut self, n_guessed: usize, n_right: usize) {
        let (guessed, right) = self.guessed.unwrap_or_default();
        self.guessed = Some((guessed + n_guessed, right + n_right));
    }

    /// What came of it, when `n_read` tokens of the prompt were not in the cache.
    pub(crate) fn timings(&self, n_read: usize) -> Timings {
        let (Some(first), Some(last)) = (self.first, self.last) else { return Timings::default() };
        let ms = |from: Instant, to: Instant| (to - from).as_secs_f64() * 1e3;
        let rate = |n: usize, ms: f64| if ms > 0.0 { n as f64 / ms * 1e3 } else { 0.0 };
        let (prefill_ms, decode_ms) = (ms(self.started, first), ms(first, last));
        Timings {
            load_ms: 0.0,
            prefill_ms,
            prefill_tps: rate(n_read, prefill_ms),
            decode_ms,
            decode_tps: rate(self.n_tokens - 1, decode_ms),
            mask_ms: None,
            draft_n: self.guessed.map(|(n_guessed, _)| n_guessed),
            draft_n_accepted: self.guessed.map(|(_, n_right)| n_right),
        }
    }
}
