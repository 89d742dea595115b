//! The hub's cache as a shelf of models: what is there, and what a removal frees.

use std::path::{Path, PathBuf};
use std::time::Duration;

use qwill::hub::{Hub, HubOptions};

const COMMITS: [&str; 2] =
    ["0123456789abcdef0123456789abcdef01234567", "89abcdef0123456789abcdef0123456789abcdef"];

/// A cache that is gone when the test is over.
struct Cache(PathBuf);

impl Cache {
    fn new(name: &str) -> Self {
        let root =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("shelf-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&root).unwrap();
        Self(root)
    }

    fn repo(&self) -> PathBuf {
        self.0.join("models--a--b-GGUF")
    }

    /// Puts bytes into the cache, and a name for them into a snapshot.
    fn add(&self, commit: &str, name: &str, blob: &str, n_bytes: usize) {
        let (blobs, snapshot) = (self.repo().join("blobs"), self.repo().join("snapshots").join(commit));
        std::fs::create_dir_all(&blobs).unwrap();
        std::fs::create_dir_all(&snapshot).unwrap();
        std::fs::write(blobs.join(blob), vec![0; n_bytes]).unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink(format!("../../blobs/{blob}"), snapshot.join(name)).unwrap();
        #[cfg(not(unix))]
        std::fs::hard_link(blobs.join(blob), snapshot.join(name)).unwrap();
    }

    fn name(&self, revision: &str, commit: &str) {
        std::fs::create_dir_all(self.repo().join("refs")).unwrap();
        std::fs::write(self.repo().join("refs").join(revision), commit).unwrap();
    }

    fn hub(&self) -> Hub {
        Hub::new(HubOptions {
            endpoint: "http://127.0.0.1:1".into(),
            token: None,
            cache: self.0.clone(),
            offline: true,
            retry_delay: Duration::ZERO,
            silence: Duration::from_secs(1),
        })
    }

    fn models(&self) -> Vec<(String, u64)> {
        let models = self.hub().cached_models().unwrap();
        models.iter().map(|model| (model.id.to_string(), model.bytes)).collect()
    }

    fn blobs(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.repo().join("blobs")).into_iter().flatten().flatten();
        let mut names: Vec<_> =
            entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// Removes a model; the bytes that this frees.
    fn remove(&self, id: &str) -> u64 {
        let removal = self.hub().removal(&id.parse().unwrap()).unwrap();
        let bytes = removal.bytes;
        removal.run().unwrap();
        bytes
    }
}

impl Drop for Cache {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Two revisions that share a file; an older one has no name.
fn two_revisions(name: &str) -> Cache {
    let cache = Cache::new(name);
    let [new, old] = COMMITS;
    cache.add(new, "Q-Q8_0.gguf", "shared", 100);
    cache.add(new, "Q-Q4_0.gguf", "new", 50);
    cache.add(old, "Q-Q8_0.gguf", "shared", 100);
    cache.add(old, "Q-Q4_0.gguf", "old", 51);
    cache.name("main", new);
    cache
}

#[test]
fn every_file_and_revision_is_a_model() {
    let cache = Cache::new("empty");
    assert!(cache.models().is_empty());
    let cache = two_revisions("all");
    // half of a model is none yet
    cache.add(COMMITS[0], "Q-Q6_K-00001-of-00002.gguf", "half", 9);
    let old = COMMITS[1];
    let mut wanted = vec![
        ("a/b-GGUF:Q4_0".to_owned(), 50),
        ("a/b-GGUF:Q8_0".to_owned(), 100),
        (format!("a/b-GGUF:Q4_0@{old}"), 51),
        (format!("a/b-GGUF:Q8_0@{old}"), 100),
    ];
    wanted.sort();
    assert_eq!(cache.models(), wanted);
}

#[test]
fn what_others_use_stays() {
    let cache = two_revisions("shared");
    let old = COMMITS[1];
    assert_eq!(cache.remove("a/b-GGUF:Q8_0"), 0);
    assert_eq!(cache.blobs(), ["new", "old", "shared"]);
    assert_eq!(cache.remove(&format!("a/b-GGUF@{old}")), 151);
    assert_eq!(cache.blobs(), ["new"]);
    assert_eq!(cache.models(), [("a/b-GGUF:Q4_0".to_owned(), 50)]);
    assert_eq!(cache.remove("a/b-GGUF:Q4_0"), 50);
    assert!(!cache.repo().exists(), "an empty shell stays");

    let cache = two_revisions("whole");
    cache.add(COMMITS[0], "README.md", "readme", 3);
    std::fs::write(cache.repo().join("blobs/more.incomplete"), [0; 7]).unwrap();
    assert_eq!(cache.remove("a/b-GGUF"), 100 + 50 + 51 + 3 + 7);
    assert!(!cache.repo().exists());
}

#[test]
fn what_is_not_there_is_named() {
    let cache = two_revisions("missing");
    for (id, words) in [
        ("a/b-GGUF:Q2_K", "it has a/b-GGUF:Q4_0, a/b-GGUF:Q8_0"),
        ("a/c", "a/c is not in"),
        ("a/b-GGUF@v9", "a/b-GGUF@v9 is not in"),
    ] {
        let error = cache.hub().removal(&id.parse().unwrap()).unwrap_err();
        assert_eq!(error.code(), "not-found");
        assert!(error.to_string().contains(words), "{error}");
    }
    assert_eq!(cache.models().len(), 4);
}
