//! `qwill bench` in a process of its own.

use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::Value;

use crate::child::{self, Children};
use crate::failure::Stop;
use crate::job::{Job, Scratch};

/// The most that one benchmark may take of its part's time.
const LIMIT: Duration = Duration::from_secs(60);

/// A benchmark of random weights.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Bench {
    /// `SHAPE:FORMAT`.
    pub(crate) model: &'static str,
    /// Its layers, if not those of the shape.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) layers: Option<usize>,
    /// Tokens of the prompt.
    pub(crate) prompt_tokens: usize,
    /// Tokens decoded after it.
    pub(crate) decode_tokens: usize,
    /// Tokens in the cache before it.
    pub(crate) depth: usize,
    /// Repetitions.
    pub(crate) runs: usize,
}

/// How a benchmark went.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Benched {
    /// What was measured.
    #[serde(flatten)]
    pub(crate) bench: Bench,
    /// How long the process took, loading and compiling included.
    pub(crate) seconds: f64,
    /// What `qwill bench --json` printed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) report: Option<Value>,
    /// Why there is no report.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
    /// Whether it was killed for taking too long.
    #[serde(skip)]
    pub(crate) is_killed: bool,
}

impl Bench {
    /// Runs it for at most the time that the part has left; `extra` are more arguments.
    pub(crate) fn run(&self, job: &Job, scratch: &Scratch, extra: &[&str]) -> Result<Benched, Stop> {
        let mut command = job.kit.qwill();
        command.args(["bench", "--json", "--random", self.model]).args(extra);
        for (flag, n) in [
            ("-p", Some(self.prompt_tokens)),
            ("-n", Some(self.decode_tokens)),
            ("-d", Some(self.depth)),
            ("-r", Some(self.runs)),
            ("--layers", self.layers),
        ] {
            if let Some(n) = n {
                command.args([flag, &n.to_string()]);
            }
        }
        let started = Instant::now();
        let ended = child::run(&mut command, Children::None, job.left().min(LIMIT), scratch.path())?;
        let seconds = started.elapsed().as_secs_f64();
        let (report, error) = match serde_json::from_str(&ended.output) {
            Ok(report) if ended.is_success() => (Some(report), None),
            Err(error) if ended.is_success() => (None, Some(format!("no report: {error}"))),
            _ => (None, Some(ended.last_words())),
        };
        Ok(Benched { bench: self.clone(), seconds, report, error, is_killed: ended.status.is_none() })
    }
}

impl Benched {
    /// A number of the report.
    pub(crate) fn number(&self, pointer: &str) -> Option<f64> {
        self.report.as_ref()?.pointer(pointer)?.as_f64()
    }

    /// Whether there should be a report: it is no fault of a model that the device has no room or no time for it.
    pub(crate) fn is_wrong(&self) -> bool {
        self.error.as_ref().is_some_and(|error| !self.is_killed && !error.contains("memory"))
    }
}
