//! One part at work: its time, its folder, and the record that it fills.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::caught::caught;
use crate::failure::{Failure, Stop};
use crate::kit::Kit;
use crate::record::{Device, Record};

/// How much to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Size {
    /// Sizes that mean something on a GPU.
    Full,
    /// Tiny ones.
    Quick,
}

/// The exit status of a part whose time was up.
pub(crate) const OUT_OF_TIME: u8 = 3;

/// A folder that is removed in the end.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    /// Makes it, empty.
    pub(crate) fn new(path: PathBuf) -> io::Result<Self> {
        let scratch = Self(path);
        scratch.remove();
        fs::create_dir_all(&scratch.0)?;
        Ok(scratch)
    }

    /// Where it lies.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    fn remove(&self) {
        // What is left is only in the way.
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        self.remove();
    }
}

/// A part at work.
pub(crate) struct Job {
    /// The kit.
    pub(crate) kit: Kit,
    /// How much to do.
    pub(crate) size: Size,
    /// When its time is up.
    pub(crate) deadline: Instant,
    started: Instant,
    record: Record,
    out: PathBuf,
}

impl Job {
    /// The part called `name`, with a limit, which writes to `out`.
    pub(crate) fn new(kit: Kit, name: &str, out: PathBuf, limit: Duration, size: Size) -> Self {
        let started = Instant::now();
        let record = Record::new(name, kit.commit());
        Self { kit, size, deadline: started + limit, started, record, out }
    }

    /// Whether its time is up.
    pub(crate) fn is_late(&self) -> bool {
        self.left().is_zero()
    }

    /// The time that it has left.
    pub(crate) fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// Notes what was found so far, in the file too.
    pub(crate) fn save(&mut self, result: impl Serialize) -> Result<(), Failure> {
        self.record.result = serde_json::to_value(result)?;
        self.write()
    }

    fn write(&mut self) -> Result<(), Failure> {
        self.record.seconds = self.started.elapsed().as_millis() as f64 / 1e3;
        Ok(self.record.write(&self.out).map_err(|error| format!("{}: {error}", self.out.display()))?)
    }

    /// What another part wrote, if it did.
    pub(crate) fn other(&self, part: &str) -> Option<Record> {
        Record::read(&self.out.with_file_name(part).with_extension("json")).ok()
    }

    /// A folder for large or passing files; what starts this process removes it as well.
    pub(crate) fn scratch(&self) -> io::Result<Scratch> {
        Scratch::new(scratch_of(&self.out))
    }

    /// Runs the part and writes how it ended.
    pub(crate) fn run(mut self, part: fn(&mut Self) -> Result<String, Stop>) -> ExitCode {
        let ended = caught(|| {
            self.record.device = Device::find();
            part(&mut self)
        });
        let mut code = ExitCode::SUCCESS;
        match ended.unwrap_or_else(|panic| Err(Stop::Failed(panic))) {
            Ok(finding) => self.record.finding = Some(finding),
            Err(Stop::Failed(error)) => {
                self.record.error = Some(error);
                code = ExitCode::FAILURE;
            }
            Err(Stop::OutOfTime(done)) => {
                self.record.error = Some(format!("its time was up: {done}"));
                code = ExitCode::from(OUT_OF_TIME);
            }
        }
        match self.write() {
            Ok(()) => code,
            Err(_) => ExitCode::FAILURE,
        }
    }
}

/// The passing folder of the part that writes to `out`.
pub(crate) fn scratch_of(out: &Path) -> PathBuf {
    out.with_extension("scratch")
}
