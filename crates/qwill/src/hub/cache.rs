//! The cache directory that every Hugging Face program shares:
//! `models--OWNER--NAME/{blobs/DIGEST, refs/REVISION, snapshots/COMMIT/PATH}`, locks in `.locks`.
//! Layout: <https://huggingface.co/docs/huggingface_hub/guides/manage-cache>.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::listing::{Digest, RepoFile};
use super::{HubError, HubId};

/// One repository's part of the cache.
pub(crate) struct RepoCache {
    /// `models--OWNER--NAME`
    root: PathBuf,
    locks: PathBuf,
}

impl RepoCache {
    pub(crate) fn new(cache: &Path, id: &HubId) -> Self {
        let folder = format!("models--{}", id.repo.replace('/', "--"));
        Self { root: cache.join(&folder), locks: cache.join(".locks").join(folder) }
    }

    /// Where a file's bytes lie, whatever its name in the repository is.
    pub(crate) fn blob(&self, digest: &Digest) -> PathBuf {
        self.root.join("blobs").join(digest.to_string())
    }

    /// Where they lie until they are complete.
    pub(crate) fn incomplete(&self, digest: &Digest) -> PathBuf {
        self.root.join("blobs").join(format!("{digest}.incomplete"))
    }

    /// Whether all of a file's bytes are there.
    pub(crate) fn has(&self, file: &RepoFile) -> bool {
        self.blob(&file.digest).metadata().is_ok_and(|meta| meta.len() == file.size)
    }

    pub(crate) fn snapshot(&self, commit: &str) -> PathBuf {
        self.root.join("snapshots").join(commit)
    }

    /// The commit that a branch or tag stood for when it was last asked for; of a commit, itself.
    pub(crate) fn read_ref(&self, revision: &str) -> Option<String> {
        let known = std::fs::read_to_string(self.root.join("refs").join(revision)).ok();
        let commit = known.map_or_else(|| revision.to_owned(), |commit| commit.trim().to_owned());
        (is_commit(&commit) && self.snapshot(&commit).is_dir()).then_some(commit)
    }

    pub(crate) fn write_ref(&self, revision: &str, commit: &str) -> Result<(), HubError> {
        if revision == commit {
            return Ok(());
        }
        let path = self.root.join("refs").join(revision);
        replace(&path, |temporary| std::fs::write(temporary, commit))
    }

    /// Paths of the files that a snapshot has, with `/`.
    pub(crate) fn snapshot_files(&self, commit: &str) -> Vec<String> {
        fn walk(folder: &Path, prefix: &str, files: &mut Vec<String>) {
            for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
                let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
                let path = entry.path();
                if path.is_dir() {
                    walk(&path, &format!("{name}/"), files);
                } else if path.is_file() {
                    files.push(name);
                }
            }
        }
        let mut files = Vec::new();
        walk(&self.snapshot(commit), "", &mut files);
        files.sort();
        files
    }

    /// Gives a blob its name in a snapshot: by a link, where the system lets one make links, else by a copy.
    pub(crate) fn link(&self, commit: &str, file: &RepoFile) -> Result<(), HubError> {
        let path = self.snapshot(commit).join(&file.path);
        let blob = self.blob(&file.digest);
        if path.canonicalize().is_ok_and(|found| blob.canonicalize().is_ok_and(|blob| found == blob)) {
            return Ok(());
        }
        let up = "../".repeat(file.path.matches('/').count() + 2);
        replace(&path, |temporary| {
            symlink(Path::new(&format!("{up}blobs/{}", file.digest)), temporary)
                .or_else(|_| std::fs::hard_link(&blob, temporary))
                .or_else(|_| std::fs::copy(&blob, temporary).map(|_| ()))
        })
    }

    /// Tries to become the one process that writes a blob. The lock goes with the file handle.
    pub(crate) fn try_lock(&self, digest: &Digest) -> Result<Option<File>, HubError> {
        let path = self.locks.join(format!("{digest}.lock"));
        create_parent(&path)?;
        let file = OpenOptions::new().create(true).append(true).open(&path).map_err(HubError::io(&path))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(source)) => Err(HubError::Io { path, source }),
        }
    }
}

pub(crate) fn is_commit(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

pub(crate) fn create_parent(path: &Path) -> Result<(), HubError> {
    let parent = path.parent().unwrap_or(path);
    std::fs::create_dir_all(parent).map_err(HubError::io(parent))
}

/// Puts something at `path` in one step, so that no other process sees it half made.
fn replace(path: &Path, make: impl FnOnce(&Path) -> std::io::Result<()>) -> Result<(), HubError> {
    create_parent(path)?;
    // of this process and this call alone
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let unique = format!(".{name}.{}-{}", std::process::id(), CALLS.fetch_add(1, Ordering::Relaxed));
    let temporary = path.with_file_name(unique);
    make(&temporary).and_then(|()| std::fs::rename(&temporary, path)).map_err(|error| {
        let _ = std::fs::remove_file(&temporary);
        HubError::io(path)(error)
    })
}

#[cfg(unix)]
fn symlink(target: &Path, link: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(target, link)
}

#[cfg(windows)]
fn symlink(target: &Path, link: &Path) -> std::io::Result<()> {
    std::os::windows::fs::symlink_file(target, link)
}
