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
        walk(&self.snapshot(commit))
    }

    /// Commits that have a snapshot, by name.
    pub(crate) fn commits(&self) -> Vec<String> {
        let mut commits: Vec<String> = files_in(&self.root.join("snapshots"))
            .filter(|path| path.is_dir())
            .map(|path| name_of(&path))
            .collect();
        commits.sort();
        commits
    }

    /// Branches and tags with their commits, and then commits that have no name.
    pub(crate) fn revisions(&self) -> Vec<(String, String)> {
        let mut named: Vec<(String, String)> = Vec::new();
        let commits = self.commits();
        for revision in walk(&self.root.join("refs")) {
            let commit = self.read_ref(&revision).filter(|commit| commits.contains(commit));
            // two names for one commit are no second model
            named.extend(
                commit
                    .filter(|commit| named.iter().all(|(_, known)| known != commit))
                    .map(|commit| (revision, commit)),
            );
        }
        let nameless = commits.into_iter().filter(|commit| named.iter().all(|(_, known)| known != commit));
        let nameless: Vec<_> = nameless.map(|commit| (commit.clone(), commit)).collect();
        [named, nameless].concat()
    }

    /// Files that name a commit.
    pub(crate) fn refs_of(&self, commit: &str) -> Vec<PathBuf> {
        let names = walk(&self.root.join("refs"));
        let of_commit = names.into_iter().filter(|name| self.read_ref(name).as_deref() == Some(commit));
        of_commit.map(|name| self.root.join("refs").join(name)).collect()
    }

    /// Everything that belongs to the repository, as far as it is there.
    pub(crate) fn folders(&self) -> Vec<PathBuf> {
        [&self.root, &self.locks].into_iter().filter(|folder| folder.is_dir()).cloned().collect()
    }

    /// Files with bytes, and how many: blobs, those that are incomplete too, and what was copied into snapshots.
    pub(crate) fn blobs(&self) -> Vec<(PathBuf, u64)> {
        let entries = self.commits().into_iter().flat_map(|commit| {
            let folder = self.snapshot(&commit);
            walk(&folder).into_iter().map(move |name| folder.join(name))
        });
        let copies = entries.filter(|path| path.symlink_metadata().is_ok_and(|facts| facts.is_file()));
        let blobs: Vec<PathBuf> = files_in(&self.root.join("blobs")).collect();
        // a snapshot without links has its bytes once more, or shares them: they are counted once
        let counted: Vec<PathBuf> = if blobs.is_empty() { copies.collect() } else { blobs };
        counted.into_iter().filter_map(|path| Some((path.clone(), path.metadata().ok()?.len()))).collect()
    }

    /// Blobs that these entries of snapshots need, and no other entry. Where entries are no links, their length stands for
    /// the blob that they are a copy of.
    pub(crate) fn blobs_of_none_but(&self, entries: &[PathBuf]) -> Vec<(PathBuf, u64)> {
        let others = self.commits().into_iter().flat_map(|commit| {
            let folder = self.snapshot(&commit);
            walk(&folder).into_iter().map(move |name| folder.join(name))
        });
        let others: Vec<PathBuf> = others.filter(|path| !entries.contains(path)).collect();
        let needs = |entry: &PathBuf, (blob, length): &(PathBuf, u64)| match entry.read_link() {
            Ok(_) => {
                entry.canonicalize().is_ok_and(|path| blob.canonicalize().is_ok_and(|blob| blob == path))
            }
            Err(_) => entry.metadata().is_ok_and(|facts| facts.len() == *length),
        };
        let blobs = files_in(&self.root.join("blobs"));
        let blobs = blobs.filter_map(|path| Some((path.clone(), path.metadata().ok()?.len())));
        blobs
            .filter(|blob| entries.iter().any(|entry| needs(entry, blob)))
            .filter(|blob| !others.iter().any(|entry| needs(entry, blob)))
            .collect()
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

/// What lies in a folder.
fn files_in(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path())
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Paths of all files below a folder, with `/`, by name.
fn walk(folder: &Path) -> Vec<String> {
    fn below(folder: &Path, prefix: &str, files: &mut Vec<String>) {
        for path in files_in(folder) {
            let name = format!("{prefix}{}", name_of(&path));
            if path.is_dir() {
                below(&path, &format!("{name}/"), files);
            } else if path.is_file() {
                files.push(name);
            }
        }
    }
    let mut files = Vec::new();
    below(folder, "", &mut files);
    files.sort();
    files
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
