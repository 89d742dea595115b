//! `speed`: prompts and replies of random models of published shapes, each in a process of its own.

use serde::Serialize;

use super::limits::read_bandwidth;
use crate::bench::{Bench, Benched};
use crate::failure::Stop;
use crate::job::{Job, Size};

/// What a model is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Task {
    /// A prompt of 512 tokens, and 128 after it.
    Short,
    /// A prompt of 4,096 tokens, and 128 after it.
    Long,
    /// The short task with 32,768 tokens in the cache.
    Deep,
}

const BOTH: [&str; 2] = ["qwen3-0.6b:q4_0", "qwen3-8b:q4_0"];
/// The models besides, the most telling ones first.
const OTHERS: [&str; 12] = [
    "qwen3-30b-a3b:q4_0",
    "qwen3-8b:q4_k",
    "qwen3-8b:q8_0",
    "qwen3-8b:bf16",
    "qwen3-4b:q4_0",
    "qwen3-14b:q4_0",
    "qwen1.5-moe-a2.7b:q4_0",
    "qwen3-1.7b:q4_0",
    "qwen3-0.6b:q4_k",
    "qwen3-0.6b:q8_0",
    "qwen3-0.6b:bf16",
    "qwen3-32b:q4_0",
];
/// Its positions end before.
const SHALLOW: &str = "qwen1.5-moe-a2.7b:q4_0";

impl Task {
    fn of(self, model: &'static str) -> Bench {
        let (prompt_tokens, depth, runs) = match self {
            Self::Short => (512, 0, 3),
            Self::Long => (4096, 0, 2),
            Self::Deep => (512, 32_768, 1),
        };
        Bench { model, layers: None, prompt_tokens, decode_tokens: 128, depth, runs }
    }
}

fn benches(size: Size) -> Vec<Bench> {
    if size == Size::Quick {
        let tiny = Bench {
            layers: Some(1),
            prompt_tokens: 16,
            decode_tokens: 8,
            runs: 1,
            ..Task::Short.of(BOTH[0])
        };
        return vec![tiny.clone(), Bench { depth: 32, ..tiny }];
    }
    let mut all = Vec::new();
    for (models, task) in [
        (&BOTH[..], Task::Short),
        (&BOTH, Task::Long),
        (&OTHERS, Task::Short),
        (&BOTH, Task::Deep),
        (&OTHERS, Task::Long),
        (&OTHERS, Task::Deep),
    ] {
        let fits = |model: &&&'static str| task != Task::Deep || **model != SHALLOW;
        all.extend(models.iter().filter(fits).map(|model| task.of(model)));
    }
    all
}

/// A benchmark with what it is compared with.
#[derive(Debug, Serialize)]
struct Row {
    #[serde(flatten)]
    benched: Benched,
    /// Bytes that decoding reads a second as a share of what `limits` measured.
    share_of_read: Option<f64>,
}

/// Runs all of them.
pub(crate) fn run(job: &mut Job) -> Result<String, Stop> {
    let read_gbps = job.other("limits").and_then(|limits| read_bandwidth(&limits.result));
    let scratch = job.scratch()?;
    let mut left = benches(job.size);
    left.reverse();
    let mut rows: Vec<Row> = Vec::new();
    while let Some(bench) = left.pop_if(|_| !job.is_late()) {
        let benched = bench.run(job, &scratch, &[])?;
        // what is cut off by the end of the part says nothing
        if benched.is_killed && job.is_late() {
            left.push(bench);
            break;
        }
        if benched.error.is_some() {
            left.retain(|other| other.model != bench.model);
        }
        let decode_gbps = benched.number("/results/0/decode_gbps");
        let share_of_read = decode_gbps.zip(read_gbps).map(|(decode, read)| decode / read);
        rows.push(Row { benched, share_of_read });
        job.save(&rows)?;
    }
    ended(&rows, left.len())
}

fn ended(rows: &[Row], n_left: usize) -> Result<String, Stop> {
    let best: Vec<String> = rows.iter().take(BOTH.len()).map(line).collect();
    let found = format!("{} of {} measured; {}", rows.len(), rows.len() + n_left, best.join("; "));
    match rows.iter().find(|row| row.benched.is_wrong()) {
        Some(wrong) => Err(Stop::Failed(format!("{}; {found}", line(wrong)))),
        None if n_left > 0 => Err(Stop::OutOfTime(found)),
        None => Ok(found),
    }
}

fn line(row: &Row) -> String {
    let Row { benched, share_of_read } = row;
    let number = |pointer| benched.number(pointer).map_or("?".to_owned(), |number| format!("{number:.0}"));
    match &benched.error {
        Some(error) => format!("{}: {error}", benched.bench.model),
        None => format!(
            "{} prompt {}/s, reply {}/s ({})",
            benched.bench.model,
            number("/results/0/prefill_tps/median"),
            number("/results/0/decode_tps/median"),
            share_of_read
                .map_or("? of reading".to_owned(), |share| format!("{:.0}% of reading", share * 100.0)),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_measured_once_and_the_best_known_first() {
        let all = benches(Size::Full);
        assert_eq!(all[..2], BOTH.map(|model| Task::Short.of(model)));
        for (at, bench) in all.iter().enumerate() {
            assert!(!all[..at].contains(bench), "{bench:?} twice");
        }
        assert_eq!(all.len(), 3 * (BOTH.len() + OTHERS.len()) - 1);
    }

    #[test]
    fn a_model_that_does_not_fit_is_no_failure() {
        let row = |error: Option<&str>, is_killed| {
            let error = error.map(str::to_owned);
            let benched =
                Benched { bench: Task::Short.of(BOTH[0]), seconds: 1.0, report: None, error, is_killed };
            Row { benched, share_of_read: None }
        };
        assert!(ended(&[row(Some("not enough GPU memory for x"), false)], 0).is_ok());
        assert!(ended(&[row(Some("killed at its limit"), true)], 0).is_ok());
        assert!(matches!(
            ended(&[row(None, false), row(Some("signal: 11"), false)], 0),
            Err(Stop::Failed(_))
        ));
        assert!(matches!(ended(&[row(None, false)], 1), Err(Stop::OutOfTime(_))));
    }
}
