//! All parts one after the other, each in a process of its own, within the time that there is.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use crate::child::{self, Children, Ended};
use crate::failure::Failure;
use crate::job::{OUT_OF_TIME, Scratch, Size, scratch_of};
use crate::kit::Kit;
use crate::parts::{PARTS, Part};
use crate::plan::{self, Limits};
use crate::record::Record;
use crate::summary::{Row, State, Summary};

/// What is kept for ending: for a last part that does not die at once, and for the summary.
const RESERVE: Duration = Duration::from_secs(5);

/// Runs the parts whose names are in `only`, or all of them, in at most `limit`.
pub(crate) fn run(
    kit: &Kit,
    out: &Path,
    limit: Duration,
    only: &[String],
    size: Size,
) -> Result<ExitCode, Failure> {
    let end = Instant::now() + limit.saturating_sub(RESERVE.min(limit / 4));
    fs::create_dir_all(out).map_err(|error| format!("{}: {error}", out.display()))?;
    let is_wanted = |part: &&Part| only.is_empty() || only.iter().any(|name| name == part.name);
    let parts: Vec<&Part> = PARTS.iter().filter(is_wanted).collect();
    let shares: Vec<u32> = parts.iter().map(|part| part.share).collect();
    println!("commit {}, at most {:.0} s", kit.commit(), limit.as_secs_f64());
    let mut summary = Summary::default();
    for (at, part) in parts.into_iter().enumerate() {
        let left = end.saturating_duration_since(Instant::now());
        let row = match plan::limits(left, &shares[at..]) {
            Some(limits) => run_part(kit, part, out, limits, size)?,
            None => {
                let finding = format!("{:.1} s were left", left.as_secs_f64());
                Row { part: part.name, state: State::NotReached, seconds: 0.0, finding }
            }
        };
        println!("{row}");
        summary.add(row);
        fs::write(out.join("summary.txt"), summary.to_string())?;
    }
    print!("\n{summary}");
    Ok(if summary.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn run_part(kit: &Kit, part: &Part, out: &Path, limits: Limits, size: Size) -> Result<Row, Failure> {
    let file: PathBuf = out.join(part.name).with_extension("json");
    if file.exists() {
        fs::remove_file(&file)?;
    }
    let scratch = Scratch::new(scratch_of(&file).with_extension("log"))?;
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["part", part.name, "--out"]).arg(&file);
    command.arg("--seconds").arg(limits.stop.as_secs_f64().to_string());
    if size == Size::Quick {
        command.arg("--quick");
    }
    let started = Instant::now();
    let ended = child::run(&mut command, Children::Killed, limits.kill, scratch.path())?;
    // A part that was killed could not.
    let _ = fs::remove_dir_all(scratch_of(&file));
    let seconds = started.elapsed().as_secs_f64();
    let mut record = Record::read(&file).unwrap_or_else(|_| Record::new(part.name, kit.commit()));
    let state = state(&ended, &record);
    if state != State::Ok && record.error.is_none() {
        record.error = Some(ended.last_words());
        record.seconds = seconds;
        record.write(&file)?;
    }
    let finding = record.error.or(record.finding).unwrap_or_default();
    Ok(Row { part: part.name, state, seconds, finding })
}

/// A part passes only if it says so and has something to show.
fn state(ended: &Ended, record: &Record) -> State {
    match ended.status.map(|status| status.code()) {
        None => State::TimedOut,
        Some(Some(code)) if code == i32::from(OUT_OF_TIME) => State::TimedOut,
        Some(Some(0)) if record.error.is_none() && record.finding.is_some() => State::Ok,
        Some(_) => State::Failed,
    }
}
