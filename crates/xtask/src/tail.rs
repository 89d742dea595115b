//! The last lines that a child wrote, kept while they pass on to whoever watches.
//!
//! A log of continuous integration is often cut to its end, where only the table of steps stands; what
//! a failed step said is printed again there.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::Child;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Enough for the closing lines of a test runner with the words of a few failures.
const LINES: usize = 120;

/// How long a child's output is waited for after its end: a grandchild that lives on may hold the pipe open.
const PATIENCE: Duration = Duration::from_secs(1);

/// Passes a child's output on and keeps its end.
#[derive(Default)]
pub(crate) struct Tail {
    lines: Arc<Mutex<VecDeque<String>>>,
    readers: Vec<JoinHandle<()>>,
}

impl Tail {
    /// Follows the pipes that the child was started with, if any.
    pub(crate) fn follow(child: &mut Child) -> Self {
        let mut tail = Self::default();
        if let Some(pipe) = child.stdout.take() {
            tail.read(pipe, std::io::stdout());
        }
        if let Some(pipe) = child.stderr.take() {
            tail.read(pipe, std::io::stderr());
        }
        tail
    }

    fn read(&mut self, from: impl Read + Send + 'static, mut to: impl Write + Send + 'static) {
        let lines = Arc::clone(&self.lines);
        self.readers.push(thread::spawn(move || {
            let mut from = BufReader::new(from);
            let mut line = Vec::new();
            while matches!(from.read_until(b'\n', &mut line), Ok(1..)) {
                // Whoever watched may have gone; the child's work goes on.
                let _ = to.write_all(&line).and_then(|()| to.flush());
                let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
                lines.push_back(String::from_utf8_lossy(&line).trim_end().to_owned());
                let excess = lines.len().saturating_sub(LINES);
                lines.drain(..excess);
                line.clear();
            }
        }));
    }

    /// What was kept, once the child has ended.
    pub(crate) fn end(self) -> String {
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end && self.readers.iter().any(|reader| !reader.is_finished()) {
            thread::sleep(Duration::from_millis(5));
        }
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_kept() {
        let mut tail = Tail::default();
        let text: String = (0..LINES + 3).map(|n| format!("line {n}\n")).collect();
        tail.read(std::io::Cursor::new(text), std::io::sink());
        let kept = tail.end();
        assert!(kept.starts_with("line 3\n") && kept.ends_with(&format!("line {}", LINES + 2)), "{kept}");
    }

    #[test]
    fn a_line_without_an_end_and_broken_letters_are_kept() {
        let mut tail = Tail::default();
        tail.read(std::io::Cursor::new(b"one\r\ntw\xffo".to_vec()), std::io::sink());
        assert_eq!(tail.end(), "one\ntw\u{fffd}o");
    }

    #[cfg(unix)]
    #[test]
    fn a_grandchild_that_lives_on_is_not_waited_for() {
        let mut command = std::process::Command::new("sh");
        command.args(["-c", "echo said; sleep 20 &"]).stdout(std::process::Stdio::piped());
        let Ok(mut child) = command.spawn() else { panic!("sh must start") };
        let tail = Tail::follow(&mut child);
        let start = Instant::now();
        assert!(child.wait().is_ok_and(|status| status.success()));
        assert_eq!(tail.end(), "said");
        assert!(start.elapsed() < Duration::from_secs(15), "{:?}", start.elapsed());
    }
}
