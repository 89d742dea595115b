//! Child processes with a limit: one that crashes or hangs costs its own time and no more.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How long a killed process may take to be gone: one that waits for a driver may never be.
const PATIENCE: Duration = Duration::from_secs(3);

/// What becomes of the children of a child that is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Children {
    /// It has none.
    None,
    /// They are killed with it.
    Killed,
}

/// How a child ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// Its status; absent if it was killed at its limit.
    pub(crate) status: Option<ExitStatus>,
    /// What it wrote to standard output.
    pub(crate) output: String,
    /// What it wrote to standard error.
    pub(crate) errors: String,
}

impl Ended {
    /// Whether it ended by itself, and well.
    pub(crate) fn is_success(&self) -> bool {
        self.status.is_some_and(|status| status.success())
    }

    /// How it ended, with the last lines of its standard error if it ended by itself.
    pub(crate) fn last_words(&self) -> String {
        let Some(status) = self.status else { return "killed at its limit".to_owned() };
        let mut lines: Vec<&str> = self.errors.lines().filter(|line| !line.trim().is_empty()).collect();
        lines.dedup();
        let last = lines[lines.len().saturating_sub(5)..].join("\n");
        if last.is_empty() { status.to_string() } else { format!("{status}: {last}") }
    }
}

/// Runs a command for at most `limit`. `scratch` is a folder for its output.
pub(crate) fn run(
    command: &mut Command,
    children: Children,
    limit: Duration,
    scratch: &Path,
) -> io::Result<Ended> {
    // Files, not pipes: they never fill up, and a grandchild that lives on holds nobody up.
    let [output, errors] = ["stdout", "stderr"].map(|name| scratch.join(name));
    command.stdin(Stdio::null()).stdout(File::create(&output)?).stderr(File::create(&errors)?);
    #[cfg(unix)]
    if children == Children::Killed {
        std::os::unix::process::CommandExt::process_group(command, 0);
    }
    let mut child = command.spawn()?;
    let status = match wait(&mut child, limit)? {
        Some(status) => Some(status),
        None => {
            kill(&mut child, children);
            wait(&mut child, PATIENCE)?;
            None
        }
    };
    let read = |path: &Path| fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    Ok(Ended { status, output: read(&output)?, errors: read(&errors)? })
}

fn wait(child: &mut Child, limit: Duration) -> io::Result<Option<ExitStatus>> {
    let end = Instant::now() + limit;
    loop {
        match child.try_wait()? {
            Some(status) => return Ok(Some(status)),
            None if Instant::now() >= end => return Ok(None),
            None => thread::sleep(Duration::from_millis(20)),
        }
    }
}

fn kill(child: &mut Child, children: Children) {
    #[cfg(unix)]
    if children == Children::Killed
        && let Ok(id) = i32::try_from(child.id())
        && let Some(group) = rustix::process::Pid::from_raw(id)
    {
        // It fails only where nothing is left to kill.
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        return;
    }
    let _ = (child.kill(), children);
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::job::Scratch;

    fn ended(script: &str, limit: Duration) -> Ended {
        let scratch =
            Scratch::new(std::env::temp_dir().join(format!("gpu-kit-child-{}", std::process::id())));
        let Ok(scratch) = scratch else { panic!("the folder for temporary files is writable") };
        let mut command = Command::new("sh");
        match run(command.args(["-c", script]), Children::Killed, limit, scratch.path()) {
            Ok(ended) => ended,
            Err(error) => panic!("sh must run: {error}"),
        }
    }

    /// One test, because they share a folder.
    #[test]
    fn children_say_how_they_ended_and_are_killed_with_their_own() {
        let limit = Duration::from_secs(20);
        let well = ended("echo out; echo err >&2", limit);
        assert!(well.is_success());
        assert_eq!((well.output.as_str(), well.errors.as_str()), ("out\n", "err\n"));
        let badly = ended("echo because >&2; exit 7", limit);
        assert!(!badly.is_success());
        assert!(badly.last_words().contains('7') && badly.last_words().ends_with("because"));
        let started = Instant::now();
        let hanging = ended("sleep 86398 & echo $!; wait", Duration::from_millis(300));
        assert!(hanging.last_words().contains("killed") && started.elapsed() < Duration::from_secs(15));
        let grandchild = hanging.output.trim();
        let command_line = || fs::read_to_string(format!("/proc/{grandchild}/cmdline")).unwrap_or_default();
        while cfg!(target_os = "linux") && command_line().contains("sleep") {
            assert!(started.elapsed() < Duration::from_secs(15), "the grandchild is still running");
            thread::sleep(Duration::from_millis(10));
        }
    }
}
