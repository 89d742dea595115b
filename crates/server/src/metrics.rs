//! What is counted, for Prometheus.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry as Counted, Unit};
use qwill::Usage;

use crate::registry::Registry;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    route: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Of {
    model: String,
}

/// What is counted.
pub(crate) struct Metrics {
    counted: Counted,
    answers: Family<Answered, Counter>,
    prompt_tokens: Family<Of, Counter>,
    cached_tokens: Family<Of, Counter>,
    reply_tokens: Family<Of, Counter>,
    broken_off: Family<Of, Counter>,
    first_token: Histogram,
    reply: Histogram,
    running: Family<Of, Gauge>,
    loaded: Family<Of, Gauge>,
}

impl Default for Metrics {
    fn default() -> Self {
        let seconds = || Histogram::new(exponential_buckets(0.01, 2.0, 16));
        let mut this = Self {
            counted: Counted::with_prefix("qwill"),
            answers: Family::default(),
            prompt_tokens: Family::default(),
            cached_tokens: Family::default(),
            reply_tokens: Family::default(),
            broken_off: Family::default(),
            first_token: seconds(),
            reply: seconds(),
            running: Family::default(),
            loaded: Family::default(),
        };
        let counted = &mut this.counted;
        counted.register("answers", "Requests that were answered", this.answers.clone());
        counted.register("prompt_tokens", "Tokens of prompts", this.prompt_tokens.clone());
        counted.register(
            "cached_tokens",
            "Tokens of prompts that were in the cache",
            this.cached_tokens.clone(),
        );
        counted.register("reply_tokens", "Tokens of replies", this.reply_tokens.clone());
        counted.register(
            "broken_off",
            "Requests that ended early, by clients mostly",
            this.broken_off.clone(),
        );
        let (first, reply) = (this.first_token.clone(), this.reply.clone());
        counted.register_with_unit("first_token", "Until the first token", Unit::Seconds, first);
        counted.register_with_unit("reply", "Until the last token", Unit::Seconds, reply);
        counted.register("running", "Replies that run or wait", this.running.clone());
        counted.register("loaded", "Whether the model is loaded", this.loaded.clone());
        this
    }
}

impl Metrics {
    pub(crate) fn answered(&self, route: &str, status: u16) {
        self.answers.get_or_create(&Answered { route: route.to_owned(), status }).inc();
    }

    pub(crate) fn first_token(&self, after: Duration) {
        self.first_token.observe(after.as_secs_f64());
    }

    pub(crate) fn read(&self, model: &str, n_tokens: usize) {
        self.prompt_tokens.get_or_create(&of(model)).inc_by(n_tokens as u64);
    }

    pub(crate) fn replied(&self, model: &str, usage: Usage, after: Duration) {
        self.read(model, usage.prompt_tokens);
        self.cached_tokens.get_or_create(&of(model)).inc_by(usage.cached_tokens as u64);
        self.reply_tokens.get_or_create(&of(model)).inc_by(usage.completion_tokens as u64);
        self.reply.observe(after.as_secs_f64());
    }

    pub(crate) fn broken_off(&self, model: &str) {
        self.broken_off.get_or_create(&of(model)).inc();
    }

    /// All of it in Prometheus' text format.
    pub(crate) fn text(&self, registry: &Registry) -> Result<String, std::fmt::Error> {
        for slot in registry.slots() {
            self.running.get_or_create(&of(slot.name())).set(slot.n_active() as i64);
            self.loaded.get_or_create(&of(slot.name())).set(i64::from(slot.is_loaded()));
        }
        let mut text = String::new();
        encode(&mut text, &self.counted)?;
        Ok(text)
    }
}

fn of(model: &str) -> Of {
    Of { model: model.to_owned() }
}
