//! Files that are there under their names only when they are complete.

use std::fs::File;
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

use crate::Error;

/// What happens to a file that is already there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// It stays, and nothing is written.
    Keep,
    /// It is replaced once the new one is complete.
    Replace,
}

/// A file that is being written, as `NAME.partial`; it is removed if it is not [finished](Self::finish).
pub(crate) struct NewFile {
    path: PathBuf,
    partial: PathBuf,
    out: BufWriter<File>,
    is_complete: bool,
}

impl NewFile {
    /// Starts a file.
    pub(crate) fn create(path: &Path, existing: Existing) -> Result<Self, Error> {
        if path.exists() && existing == Existing::Keep {
            let shown = path.display();
            return Err(Error::Files(format!(
                "\"{shown}\" is already there; choose another name, or replace it (--force)"
            )));
        }
        let mut partial = path.as_os_str().to_owned();
        partial.push(".partial");
        let partial = PathBuf::from(partial);
        let out = File::create(&partial).map_err(|e| failed(path, e))?;
        Ok(Self {
            path: path.to_owned(),
            partial,
            out: BufWriter::with_capacity(1 << 20, out),
            is_complete: false,
        })
    }

    /// What went wrong, with the file's name.
    pub(crate) fn failed(&self, error: io::Error) -> Error {
        failed(&self.path, error)
    }

    /// Gives the file its name.
    pub(crate) fn finish(mut self) -> Result<(), Error> {
        let done = self.out.flush().and_then(|()| self.out.get_ref().sync_all());
        done.and_then(|()| std::fs::rename(&self.partial, &self.path)).map_err(|e| self.failed(e))?;
        self.is_complete = true;
        Ok(())
    }
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.is_complete {
            // Nobody is left to tell if that fails too.
            let _ = std::fs::remove_file(&self.partial);
        }
    }
}

/// What went wrong with a file, in words.
pub(crate) fn failed(path: &Path, error: io::Error) -> Error {
    let shown = path.display();
    Error::Files(match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
            format!("the disk is full: \"{shown}\" is not written. Make room, or write it to another disk")
        }
        ErrorKind::NotFound => format!("\"{shown}\" cannot be written: there is no such directory"),
        _ => format!("\"{shown}\" cannot be written: {error}"),
    })
}
