//! Folders and files: copied, removed, and how large they are.

use crate::error::{Error, Result};
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// Removes a folder with everything in it, if it is there.
pub(crate) fn remove_dir(dir: &Path) -> Result<()> {
    match fs::remove_dir_all(dir) {
        Err(source) if source.kind() != ErrorKind::NotFound => Err(Error::File { path: dir.into(), source }),
        _ => Ok(()),
    }
}

/// Makes a folder and those around it.
pub(crate) fn make_dir(dir: &Path) -> Result<()> {
    fs::create_dir_all(dir).map_err(|source| Error::File { path: dir.into(), source })
}

/// Copies what is in `from` into `to`, over what is there.
pub(crate) fn copy_dir(from: &Path, to: &Path) -> Result<()> {
    make_dir(to)?;
    for path in entries(from)? {
        let target = to.join(path.file_name().unwrap_or_default());
        if path.is_dir() {
            copy_dir(&path, &target)?;
        } else {
            copy_file(&path, &target)?;
        }
    }
    Ok(())
}

/// Copies a file, over what is there.
pub(crate) fn copy_file(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to).map(|_| ()).map_err(|source| Error::File { path: from.into(), source })
}

/// Bytes of a file, or of everything in a folder.
pub(crate) fn bytes(path: &Path) -> Result<u64> {
    if path.is_dir() {
        return entries(path)?.iter().map(|entry| bytes(entry)).sum();
    }
    fs::metadata(path).map(|data| data.len()).map_err(|source| Error::File { path: path.into(), source })
}

/// A number of bytes for people.
pub(crate) fn size(bytes: u64) -> String {
    let kilo = bytes / 1000;
    if kilo < 1000 { format!("{kilo} kB") } else { format!("{}.{:02} MB", kilo / 1000, kilo % 1000 / 10) }
}

fn entries(dir: &Path) -> Result<Vec<PathBuf>> {
    let read = || fs::read_dir(dir)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>();
    read().map_err(|source| Error::File { path: dir.into(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_copied_with_what_is_below_them() {
        let dir = std::env::temp_dir().join(format!("xtask-copy-{}", std::process::id()));
        let (from, to) = (dir.join("from"), dir.join("to"));
        let made = fs::create_dir_all(from.join("snippets")).and_then(|()| {
            fs::write(from.join("a.js"), "a")?;
            fs::write(from.join("snippets").join("b.js"), "bb")
        });
        assert!(made.is_ok() && copy_dir(&from, &to).is_ok() && copy_dir(&from, &to).is_ok());
        assert_eq!(fs::read_to_string(to.join("snippets").join("b.js")).ok().as_deref(), Some("bb"));
        assert_eq!(bytes(&to).ok(), Some(3));
        assert!(remove_dir(&dir).is_ok() && remove_dir(&dir).is_ok() && !dir.exists());
        assert!(bytes(&dir).is_err());
    }

    #[test]
    fn sizes_are_for_people() {
        assert_eq!(size(270_400), "270 kB");
        assert_eq!(size(2_345_678), "2.34 MB");
    }
}
