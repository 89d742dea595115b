//! Where the kit's things lie: beside this program.

use std::path::PathBuf;
use std::process::Command;

use crate::failure::Failure;

/// The folder of the kit.
#[derive(Debug, Clone)]
pub(crate) struct Kit {
    folder: PathBuf,
}

impl Kit {
    /// The folder that this program lies in.
    pub(crate) fn find() -> Result<Self, Failure> {
        let program = std::env::current_exe()?;
        let folder = program.parent().ok_or("this program lies in no folder")?.to_owned();
        Ok(Self { folder })
    }

    /// The folder of goldens.
    pub(crate) fn goldens(&self) -> PathBuf {
        self.folder.join("golden")
    }

    /// The `qwill` command.
    pub(crate) fn qwill(&self) -> Command {
        Command::new(self.folder.join("qwill"))
    }

    /// The commit that the programs were built from.
    pub(crate) fn commit(&self) -> String {
        let noted = std::fs::read_to_string(self.folder.join("commit"));
        noted.map_or_else(|_| "unknown".to_owned(), |commit| commit.trim().to_owned())
    }
}
