//! `load`: a file of about 4 GB, from the disk and from memory onto the device, beside a plain read of it.

use crate::child::{self, Children};
use crate::failure::Stop;
use crate::job::{Job, Size};
use crate::loading::{self, Turns};

/// Writes the file, loads it and removes it.
pub(crate) fn run(job: &mut Job) -> Result<String, Stop> {
    let scratch = job.scratch()?;
    let model = scratch.path().join("random.gguf");
    let (shape, more, turns): (_, &[&str], _) = match job.size {
        Size::Full => ("qwen3-4b:q8_0", &[], 3),
        Size::Quick => ("qwen3-0.6b:q4_0", &["--layers", "1"], 1),
    };
    let mut command = job.kit.qwill();
    command.args(["random", shape]).arg(&model).args(more);
    let written = child::run(&mut command, Children::None, job.left(), scratch.path())?;
    if job.is_late() {
        return Err(Stop::OutOfTime(format!("{shape} was being written")));
    }
    if !written.is_success() {
        return Err(Stop::Failed(format!("no {shape}: {}", written.last_words())));
    }
    let turns = Turns { most: turns, deadline: Some(job.deadline) };
    let found = loading::measure(&model, &turns, |so_far| job.save(so_far))?;
    job.save(&found)?;
    let bytes = found["bytes"].as_f64().unwrap_or(0.0);
    let line = |how: &str| {
        let best = |what: &str| found[how][what]["best_s"].as_f64().unwrap_or(f64::NAN);
        let (plain, load) = (best("plain_read"), best("load_weights"));
        format!("{how} {load:.2} s, {:.2} of a plain read at {:.1} GB/s", plain / load, bytes / plain / 1e9)
    };
    Ok(format!("{:.1} GB of weights: {}; {}", bytes / 1e9, line("cold"), line("cached")))
}
