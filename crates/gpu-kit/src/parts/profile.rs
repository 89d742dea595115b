//! `profile`: time by kernel of decoding and of a prompt.

use crate::bench::{Bench, Benched};
use crate::failure::Stop;
use crate::job::{Job, Size};

fn benches(size: Size) -> Vec<Bench> {
    let bench =
        |model| Bench { model, layers: None, prompt_tokens: 512, decode_tokens: 64, depth: 0, runs: 1 };
    match size {
        Size::Full => ["qwen3-8b:q4_0", "qwen3-0.6b:q4_0"].map(bench).into(),
        Size::Quick => {
            vec![Bench { layers: Some(1), prompt_tokens: 16, decode_tokens: 4, ..bench("qwen3-0.6b:q4_0") }]
        }
    }
}

/// Profiles both.
pub(crate) fn run(job: &mut Job) -> Result<String, Stop> {
    let scratch = job.scratch()?;
    let benches = benches(job.size);
    let mut done: Vec<Benched> = Vec::new();
    for bench in &benches {
        if job.is_late() {
            return Err(Stop::OutOfTime(format!("{} of {} profiles", done.len(), benches.len())));
        }
        done.push(bench.run(job, &scratch, &["--profile"])?);
        job.save(&done)?;
    }
    match done.iter().find_map(|benched| Some((benched.bench.model, benched.error.as_ref()?))) {
        Some((model, error)) if job.is_late() => Err(Stop::OutOfTime(format!("{model}: {error}"))),
        Some((model, error)) => Err(Stop::Failed(format!("{model}: {error}"))),
        None => Ok(format!("{} profiles", done.len())),
    }
}
