//! Child commands: shown before they run, output streamed, stopped with all their children when they hang.

use crate::error::{Error, Result};
use crate::tail::Tail;
use std::env;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Major and minor number of a program's version.
pub(crate) type Version = (u32, u32);

/// A command to run, as data: plans are made of these, shown to people and compared in tests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Command {
    program: OsString,
    args: Vec<OsString>,
    dir: Option<PathBuf>,
    env: Vec<(OsString, Option<OsString>)>,
    limit: Option<Duration>,
}

impl Command {
    /// `program` with `args`; a bare program name is looked up in PATH.
    pub(crate) fn new<A: AsRef<OsStr>>(
        program: impl AsRef<OsStr>,
        args: impl IntoIterator<Item = A>,
    ) -> Self {
        Self {
            program: program.as_ref().into(),
            args: args.into_iter().map(|arg| arg.as_ref().into()).collect(),
            dir: None,
            env: Vec::new(),
            limit: None,
        }
    }

    /// The toolchain's cargo.
    pub(crate) fn cargo<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>) -> Self {
        Self::new("cargo", args)
    }

    /// Node's package manager.
    pub(crate) fn npm<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>) -> Self {
        // Windows starts only .exe files by their bare name.
        Self::new(if cfg!(windows) { "npm.cmd" } else { "npm" }, args)
    }

    /// Adds one argument.
    #[must_use]
    pub(crate) fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().into());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub(crate) fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().into()));
        self
    }

    /// Runs in `dir`.
    #[must_use]
    pub(crate) fn in_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.dir = Some(dir.into());
        self
    }

    /// Runs in `dir` unless it has a folder already.
    #[must_use]
    pub(crate) fn in_default_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.dir.get_or_insert_with(|| dir.into());
        self
    }

    /// Sets an environment variable.
    #[must_use]
    pub(crate) fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.env.push((name.as_ref().into(), Some(value.as_ref().into())));
        self
    }

    /// Takes an environment variable away.
    #[must_use]
    pub(crate) fn without_env(mut self, name: impl AsRef<OsStr>) -> Self {
        self.env.push((name.as_ref().into(), None));
        self
    }

    /// Stops the command when it runs longer than this.
    #[must_use]
    pub(crate) fn limit(mut self, limit: Duration) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Shows the command, runs it with its output streamed and waits for it.
    ///
    /// Where no person watches, the error holds the last lines of the output.
    pub(crate) fn run(&self) -> Result<()> {
        eprintln!("  $ {self}");
        let mut command = self.build();
        if !std::io::stdout().is_terminal() {
            command.stdout(Stdio::piped()).stderr(Stdio::piped());
        }
        let mut child = command.spawn().map_err(|source| self.start_error(source))?;
        let tail = Tail::follow(&mut child);
        let status = match self.limit {
            Some(limit) => self.wait_at_most(&mut child, limit)?,
            None => Some(child.wait().map_err(|source| self.start_error(source))?),
        };
        match status {
            Some(status) if status.success() => Ok(()),
            Some(status) => Err(Error::Failed { command: self.to_string(), status, said: tail.end() }),
            None => {
                let limit = self.limit.unwrap_or_default();
                Err(Error::TimedOut { command: self.to_string(), limit, said: tail.end() })
            }
        }
    }

    /// Runs the command quietly; its standard output when it succeeds.
    pub(crate) fn output(&self) -> Option<String> {
        let out = self.build().stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
        out.status.success().then(|| String::from_utf8_lossy(&out.stdout).into_owned())
    }

    /// Ends xtask by becoming the command, so that Ctrl-C reaches it alone.
    ///
    /// Where a process cannot do that it waits for the command instead.
    pub(crate) fn become_it(&self) -> Result<()> {
        #[cfg(unix)]
        {
            use std::os::unix::process::CommandExt;
            eprintln!("  $ {self}");
            Err(self.start_error(self.build().exec()))
        }
        #[cfg(not(unix))]
        self.run()
    }

    fn build(&self) -> std::process::Command {
        let mut command = std::process::Command::new(&self.program);
        command.args(&self.args);
        // What cargo told xtask about xtask is wrong for every child: a build script that watches
        // such a variable would run again each time, and another toolchain would get the wrong libraries.
        for (name, _) in env::vars_os() {
            if name.to_str().is_some_and(is_about_this_process) {
                command.env_remove(name);
            }
        }
        if let Some(dirs) = env::var_os("LD_LIBRARY_PATH") {
            match without_cargo_dirs(&dirs) {
                Some(dirs) => command.env("LD_LIBRARY_PATH", dirs),
                None => command.env_remove("LD_LIBRARY_PATH"),
            };
        }
        for (name, value) in &self.env {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        if let Some(dir) = &self.dir {
            command.current_dir(dir);
        }
        command
    }

    /// How the child ended, or nothing where it had to be stopped.
    fn wait_at_most(&self, child: &mut Child, limit: Duration) -> Result<Option<ExitStatus>> {
        let end = Instant::now() + limit;
        loop {
            match child.try_wait().map_err(|source| self.start_error(source))? {
                Some(status) => return Ok(Some(status)),
                None if Instant::now() < end => thread::sleep(Duration::from_millis(50)),
                None => {
                    stop_tree(child);
                    return Ok(None);
                }
            }
        }
    }

    fn start_error(&self, source: std::io::Error) -> Error {
        Error::Start { command: self.to_string(), source }
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(dir) = &self.dir {
            let dir = env::current_dir().ok().and_then(|here| dir.strip_prefix(here).ok()).unwrap_or(dir);
            if !dir.as_os_str().is_empty() {
                write!(f, "cd {} && ", shown(dir.as_os_str()))?;
            }
        }
        for (name, value) in &self.env {
            if let Some(value) = value {
                write!(f, "{}={} ", name.to_string_lossy(), shown_path(value))?;
            }
        }
        write!(f, "{}", shown(&self.program))?;
        self.args.iter().try_for_each(|arg| write!(f, " {}", shown(arg)))
    }
}

/// An argument as a person would type it.
fn shown(arg: &OsStr) -> String {
    let text = arg.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=+./:,@\\".contains(c);
    if !text.is_empty() && text.chars().all(plain) { text.into_owned() } else { format!("'{text}'") }
}

/// A variable's value; one that only adds to PATH is long enough to hide the command behind it.
fn shown_path(value: &OsStr) -> String {
    let text = shown(value);
    let path = env::var("PATH").unwrap_or_default();
    match text.strip_suffix(&path) {
        Some(added) if !path.is_empty() => format!("{added}$PATH"),
        _ => text,
    }
}

fn is_about_this_process(name: &str) -> bool {
    ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_"]
        .iter()
        .any(|start| name.starts_with(start))
        || ["CARGO", "CARGO_PRIMARY_PACKAGE", "OUT_DIR"].contains(&name)
}

/// A library path less the folders that `cargo run` put in front of it.
fn without_cargo_dirs(dirs: &OsStr) -> Option<OsString> {
    let of_cargo = |dir: &Path| {
        dir.components().any(|part| part.as_os_str() == ".rustup")
            || ["debug", "debug/deps", "release", "release/deps", "lib/rustlib"]
                .iter()
                .any(|end| dir.ends_with(end))
    };
    let kept: Vec<PathBuf> = env::split_paths(dirs).filter(|dir| !of_cargo(dir)).collect();
    if kept.iter().all(|dir| dir.as_os_str().is_empty()) {
        return None;
    }
    env::join_paths(kept).ok()
}

/// Ends a child and everything it started: killing npm alone would leave its browsers behind.
fn stop_tree(child: &mut Child) {
    let id = child.id();
    if cfg!(windows) {
        let _ = std::process::Command::new("taskkill").args(["/T", "/F", "/PID", &id.to_string()]).status();
    } else {
        for id in descendants(&process_table(), id) {
            let _ = std::process::Command::new("kill").arg(id.to_string()).status();
        }
    }
    let _ = child.kill();
    let _ = child.wait();
}

/// Every process with its parent.
fn process_table() -> Vec<(u32, u32)> {
    // Small Linux machines have no `ps`.
    if let Ok(entries) = fs::read_dir("/proc") {
        let stat = |entry: fs::DirEntry| parent_in_stat(&fs::read_to_string(entry.path().join("stat")).ok()?);
        return entries.flatten().filter_map(stat).collect();
    }
    let table = Command::new("ps", ["-A", "-o", "pid=,ppid="]).output().unwrap_or_default();
    let pair = |line: &str| {
        let mut ids = line.split_whitespace().map(str::parse);
        Some((ids.next()?.ok()?, ids.next()?.ok()?))
    };
    table.lines().filter_map(pair).collect()
}

/// Process and parent in a line of `/proc/*/stat`: `id (name) state parent …`, where the name may hold anything.
fn parent_in_stat(stat: &str) -> Option<(u32, u32)> {
    let id = stat.split_whitespace().next()?.parse().ok()?;
    let parent = stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()?;
    Some((id, parent))
}

/// The processes below `root`.
fn descendants(pairs: &[(u32, u32)], root: u32) -> Vec<u32> {
    let mut found = vec![root];
    let mut next = 0;
    while let Some(&parent) = found.get(next) {
        next += 1;
        found.extend(pairs.iter().filter(|(_, of)| *of == parent).map(|(id, _)| *id));
    }
    found.split_off(1)
}

/// The first of `names` that PATH holds.
pub(crate) fn which(names: &[&str]) -> Option<PathBuf> {
    let dirs: Vec<PathBuf> = env::split_paths(&env::var_os("PATH")?).collect();
    names.iter().find_map(|name| {
        dirs.iter().find_map(|dir| {
            let plain = dir.join(name);
            if cfg!(windows) {
                ["exe", "cmd"].iter().map(|end| plain.with_extension(end)).find(|path| path.is_file())
            } else {
                plain.is_file().then_some(plain)
            }
        })
    })
}

/// Reads `v20.20.2`, `rustc 1.96.0 (…)` and the like.
pub(crate) fn version(said: &str) -> Option<Version> {
    let numbers = said.split_whitespace().find_map(|word| {
        let word = word.trim_start_matches('v');
        word.starts_with(|c: char| c.is_ascii_digit()).then_some(word)
    })?;
    let mut parts = numbers.split('.').map(str::parse);
    Some((parts.next()?.ok()?, parts.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_shown_as_a_person_types_them() {
        let command =
            Command::cargo(["run", "-m", "demo", "two words"]).env("CI", "true").without_env("RUSTC");
        assert_eq!(command.to_string(), "CI=true cargo run -m demo 'two words'");
    }

    #[test]
    fn variables_about_xtask_are_not_passed_on() {
        assert!(is_about_this_process("CARGO_MANIFEST_DIR"));
        assert!(is_about_this_process("CARGO"));
        assert!(!is_about_this_process("CARGO_HOME"));
        assert!(!is_about_this_process("CARGO_TARGET_DIR"));
    }

    #[cfg(unix)]
    #[test]
    fn library_path_keeps_only_what_the_user_set() {
        let dirs = "/w/target/debug/deps:/w/target/debug:/root/.rustup/toolchains/stable/lib:/opt/vulkan/lib";
        assert_eq!(without_cargo_dirs(OsStr::new(dirs)), Some("/opt/vulkan/lib".into()));
        assert_eq!(without_cargo_dirs(OsStr::new("/w/target/debug/deps:")), None);
    }

    #[test]
    fn descendants_follow_every_level() {
        let table = [(10, 1), (11, 10), (12, 11), (13, 1), (14, 10)];
        assert_eq!(descendants(&table, 10), [11, 14, 12]);
        assert!(descendants(&table, 99).is_empty());
    }

    #[test]
    fn parent_is_found_behind_an_odd_name() {
        assert_eq!(parent_in_stat("12 (a) (b c) S 7 1 2"), Some((12, 7)));
        assert_eq!(parent_in_stat("self"), None);
    }

    #[cfg(unix)]
    #[test]
    fn a_hanging_command_is_stopped() {
        let hanging = Command::new("sleep", ["86399"]).limit(Duration::from_millis(100));
        assert!(matches!(hanging.run(), Err(Error::TimedOut { .. })));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn children_of_a_stopped_command_end_too() {
        let note = env::temp_dir().join(format!("xtask-hanging-{}", std::process::id()));
        let script = format!("sleep 86399 & echo $! > '{}'; wait", note.display());
        let Ok(mut child) = Command::new("sh", ["-c", &script]).build().spawn() else {
            panic!("sh must start")
        };
        let noted = || fs::read_to_string(&note).ok().filter(|text| text.ends_with('\n'));
        let id = loop {
            match noted() {
                Some(id) => break id,
                None => thread::sleep(Duration::from_millis(10)),
            }
        };
        stop_tree(&mut child);
        let _ = fs::remove_file(&note);
        // A process that ended may stay in the table for a while, but without a command line.
        let command_line = || fs::read_to_string(format!("/proc/{}/cmdline", id.trim())).unwrap_or_default();
        let end = Instant::now() + Duration::from_secs(20);
        while command_line().contains("sleep") {
            assert!(Instant::now() < end, "the child is still running");
            thread::sleep(Duration::from_millis(10));
        }
    }

    #[cfg(unix)]
    #[test]
    fn failure_names_the_command() {
        let Err(error) = Command::new("sh", ["-c", "echo why; exit 3"]).run() else { panic!("it must fail") };
        assert!(error.to_string().starts_with("`sh -c 'echo why; exit 3'` failed"), "{error}");
        if !std::io::stdout().is_terminal() {
            assert_eq!(error.said(), "why");
        }
    }

    #[test]
    fn versions_are_read_from_what_programs_say() {
        assert_eq!(version("v20.20.2\n"), Some((20, 20)));
        assert_eq!(
            version("rustc 1.96.0 (ac68faa20 2026-05-25) (built from a source tarball)"),
            Some((1, 96))
        );
        assert_eq!(version("command not found"), None);
    }
}
