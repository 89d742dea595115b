//! Writing files, one after the other, on a thread of its own: a slow disk is nothing that a window waits for.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Sender, channel};
use std::thread::{self, JoinHandle};

use super::Reporter;
use crate::conversation::Conversation;
use crate::folders;
use crate::settings::Settings;
use crate::shelf::Shelf;
use crate::state::{Export, Report};

/// Something to write or remove.
pub(super) enum Work {
    Keep(Box<Conversation>),
    Remove(u64),
    Export(Box<Conversation>, Export),
    KeepSettings(Box<Settings>),
}

/// The thread. What it was given is written before it is gone.
pub(super) struct Keeper {
    work: Option<Sender<Work>>,
    running: Option<JoinHandle<()>>,
}

impl Keeper {
    pub(super) fn start(folder: &Path, reporter: Reporter) -> Self {
        let (work, given) = channel();
        let files = Files {
            shelf: Shelf::new(&folder.join("conversations")),
            settings: folder.join("settings.json"),
        };
        let running = thread::Builder::new().name("qwill-files".into()).spawn(move || {
            for work in given {
                if let Some(report) = files.perform(work) {
                    reporter.tell(report);
                }
            }
        });
        Self { work: Some(work), running: running.ok() }
    }

    /// Has something written.
    ///
    /// # Errors
    /// If there is no thread.
    pub(super) fn give(&self, work: Work) -> Result<(), String> {
        let given = self.work.as_ref().is_some_and(|sender| sender.send(work).is_ok());
        given.then_some(()).ok_or_else(|| "Nothing is written: the system gives no thread for it.".into())
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.work = None;
        if let Some(running) = self.running.take() {
            // a panic there was told on standard error
            let _ = running.join();
        }
    }
}

struct Files {
    shelf: Shelf,
    settings: PathBuf,
}

impl Files {
    /// What there is to tell of it.
    fn perform(&self, work: Work) -> Option<Report> {
        let (what, done) = match work {
            Work::Keep(conversation) => ("The conversation was not written", self.shelf.write(&conversation)),
            Work::Remove(id) => ("The conversation was not removed", self.shelf.remove(id)),
            Work::KeepSettings(settings) => ("Settings were not written", settings.write(&self.settings)),
            Work::Export(conversation, export) => return Some(export_to_file(&conversation, export)),
        };
        done.err().map(|error| Report::Problem(format!("{what}: {error}")))
    }
}

fn export_to_file(conversation: &Conversation, export: Export) -> Report {
    let path = export_path(conversation, export);
    let text = match export {
        Export::Markdown => conversation.to_markdown(),
        Export::Json => conversation.to_json(),
    };
    match folders::write(&path, &text) {
        Ok(()) => Report::Exported(path),
        Err(error) => Report::Problem(format!("{} was not written: {error}", path.display())),
    }
}

/// A path where an exported conversation may lie: in the folder of downloads, or at home.
fn export_path(conversation: &Conversation, export: Export) -> PathBuf {
    let home = std::env::home_dir().unwrap_or_default();
    let downloads = home.join("Downloads");
    let folder = if downloads.is_dir() { downloads } else { home };
    let letters = conversation.shown_title().chars();
    let name: String =
        letters.map(|c| if c.is_alphanumeric() || c == ' ' || c == '-' { c } else { '_' }).collect();
    folder.join(format!("{}.{}", name.trim(), export.extension()))
}
