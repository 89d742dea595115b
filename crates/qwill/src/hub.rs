//! Models of the Hugging Face hub and its mirrors, by id.
//!
//! Files go to the cache that `huggingface_hub` and llama.cpp use too, in its layout and under its locks, so
//! nothing is downloaded twice and several processes may ask for one model at once. `HF_HOME`, `HF_HUB_CACHE`,
//! `HF_ENDPOINT`, `HF_TOKEN` and `HF_HUB_OFFLINE` mean what they mean there.
//!
//! `HF_ENDPOINT` may also be ModelScope's, whose interface is another one.
//!
//! The `hf-hub` crate (1.0) shares the layout, but begins interrupted downloads anew, compares no checksum, knows no
//! offline mode, and brings a whole async stack along. What is here goes on where it stopped, and compares every
//! file with the hub's own digest.

mod address;
mod cache;
mod dialect;
mod id;
mod library;
mod listing;
mod remote;
mod remote_source;
mod split_name;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use qwill_weights::{ByteSource, FileSource};

use crate::{Control, ModelFiles, cache_folder};
use cache::RepoCache;
pub use id::HubId;
pub use library::{CachedModel, ModelKind, Removal};
use listing::{Choice, RepoFile, choose, shards_of};
use remote::{Listing, Remote};
use remote_source::RemoteSource;

/// What goes wrong between an id and its files.
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    /// Not an id.
    #[error(
        "\"{0}\" is no model id: an id is OWNER/NAME, OWNER/NAME:TAG or OWNER/NAME@REVISION, or the address of a model's \
         page on the hub"
    )]
    Id(String),
    /// No such repository, revision or file, or none that fits.
    #[error("{0}")]
    NotFound(String),
    /// The hub wants to know who asks.
    #[error(
        "{endpoint} does not give {repo} to this user ({status}): it may be misspelt, private or gated. Accept its \
         terms at {endpoint}/{repo}, and set HF_TOKEN to a token of yours"
    )]
    Unauthorized {
        /// `owner/name`
        repo: String,
        /// The hub.
        endpoint: String,
        /// HTTP status.
        status: u16,
    },
    /// The hub cannot be reached, or keeps failing.
    #[error("could not get {url}: {reason}")]
    Network {
        /// What was asked for.
        url: String,
        /// How that ended.
        reason: String,
    },
    /// Not all of the model is in the cache, and nothing else may be asked.
    #[error("{id} is not in {}, and HF_HUB_OFFLINE forbids asking the hub{missing}", cache.display())]
    Offline {
        /// The model.
        id: String,
        /// The cache directory.
        cache: PathBuf,
        /// What of it is missing, if it is there in part.
        missing: String,
    },
    /// The bytes that came are not those that the hub lists, twice.
    #[error(
        "{file} came with the checksum {found}, but the hub lists {expected}; it was removed. Try again later, or \
         another mirror"
    )]
    Checksum {
        /// Path in the repository.
        file: String,
        /// The hub's digest.
        expected: String,
        /// That of what came.
        found: String,
    },
    /// No room.
    #[error(
        "the disk is full: {file} has {size} bytes, {} holds {done} of them. Make room and run this again; it goes \
         on from there", path.display()
    )]
    DiskFull {
        /// Path in the repository.
        file: String,
        /// Its size in bytes.
        size: u64,
        /// Bytes that are there.
        done: u64,
        /// Where they lie.
        path: PathBuf,
    },
    /// The cache cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A file that is there but cannot be opened.
    #[error(transparent)]
    Weights(#[from] qwill_weights::Error),
    /// The caller stopped it.
    #[error("stopped by the caller")]
    Aborted,
}

impl HubError {
    fn io(path: &Path) -> impl Fn(std::io::Error) -> Self {
        move |source| Self::Io { path: path.to_owned(), source }
    }

    /// A short stable name, as [`crate::Error::code`] gives them.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Id(_) => "invalid-source",
            Self::NotFound(_) => "not-found",
            Self::Unauthorized { .. } => "unauthorized",
            Self::Network { .. } | Self::Offline { .. } => "network",
            Self::Checksum { .. } => "checksum-mismatch",
            Self::DiskFull { .. } => "quota-exceeded",
            Self::Io { .. } | Self::Weights(_) => "file-not-found",
            Self::Aborted => "aborted",
        }
    }
}

/// How far the download of a model has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HubProgress<'a> {
    /// The file that is coming in.
    pub file: &'a str,
    /// Bytes that are there, those from earlier times included.
    pub bytes_done: u64,
    /// Bytes of all files.
    pub bytes_total: u64,
}

/// Where models come from and where they are kept.
#[derive(Debug, Clone)]
pub struct HubOptions {
    /// Address of the hub or mirror, without a slash at the end.
    pub endpoint: String,
    /// A user's token, for gated and private models.
    pub token: Option<String>,
    /// The cache directory.
    pub cache: PathBuf,
    /// Ask nobody; take what the cache has.
    pub offline: bool,
    /// Wait this long before the first retry, twice as long before the next, and so on.
    pub retry_delay: Duration,
    /// A connection that is silent for this long is given up.
    pub silence: Duration,
}

impl HubOptions {
    /// The model that a text names: an id, also behind the hub's name, or the address of its page on this hub or on Hugging
    /// Face.
    ///
    /// ```
    /// use qwill::hub::HubOptions;
    ///
    /// let options = HubOptions::from_env();
    /// let id = options.id("https://huggingface.co/Qwen/Qwen3-0.6B")?;
    /// assert_eq!(id, options.id("hf.co/Qwen/Qwen3-0.6B")?);
    /// assert_eq!(id, options.id("Qwen/Qwen3-0.6B")?);
    /// # Ok::<(), qwill::hub::HubError>(())
    /// ```
    ///
    /// # Errors
    /// [`HubError::Id`] if it names none.
    pub fn id(&self, text: &str) -> Result<HubId, HubError> {
        let path = text.strip_prefix(&*self.endpoint).and_then(|rest| rest.strip_prefix('/'));
        // ModelScope's pages lie in a folder
        let path = path.map(|path| path.strip_prefix("models/").unwrap_or(path));
        match path {
            Some(path) => HubId::of_page(path).ok_or_else(|| HubError::Id(text.to_owned())),
            None => text.parse(),
        }
    }

    /// As the `HF_*` variables say.
    pub fn from_env() -> Self {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
        let home = variable("HF_HOME")
            .map(PathBuf::from)
            .unwrap_or_else(|| cache_folder::of_user().unwrap_or_default().join("huggingface"));
        let token_file = variable("HF_TOKEN_PATH").map_or_else(|| home.join("token"), PathBuf::from);
        let token = variable("HF_TOKEN").or_else(|| std::fs::read_to_string(token_file).ok());
        Self {
            endpoint: variable("HF_ENDPOINT")
                .unwrap_or_else(|| "https://huggingface.co".into())
                .trim_end_matches('/')
                .to_owned(),
            token: token.map(|token| token.trim().to_owned()).filter(|token| !token.is_empty()),
            cache: variable("HF_HUB_CACHE").map_or_else(|| home.join("hub"), PathBuf::from),
            offline: variable("HF_HUB_OFFLINE")
                .is_some_and(|value| ["1", "true", "yes", "on"].contains(&value.to_lowercase().as_str())),
            retry_delay: Duration::from_secs(1),
            silence: Duration::from_secs(30),
        }
    }
}

/// A hub and the cache of its models.
pub struct Hub {
    options: HubOptions,
    remote: Arc<Remote>,
}

impl Hub {
    /// Asks nothing yet.
    pub fn new(options: HubOptions) -> Self {
        Self { remote: Arc::new(Remote::new(&options)), options }
    }

    /// Asks the hub what a model consists of. A hub that cannot be reached is no error while the cache has the model.
    ///
    /// # Errors
    /// See [`HubError`].
    pub fn find(&self, id: &HubId) -> Result<HubModel, HubError> {
        let cache = RepoCache::new(&self.options.cache, id);
        let listing = if self.options.offline { None } else { Some(self.remote.list(id)) };
        let state = match listing {
            None => State::Cached(self.cached(id, &cache)?),
            Some(Ok(listing)) => State::Listed(Arc::new(listing)),
            // the model may be there although the hub is not
            Some(Err(error @ HubError::Network { .. })) => {
                State::Cached(self.cached(id, &cache).map_err(|_| error)?)
            }
            Some(Err(error)) => return Err(error),
        };
        Ok(HubModel { id: id.clone(), remote: self.remote.clone(), cache, state })
    }

    /// The files of a model: from the cache if they are there and current, else from the hub.
    ///
    /// Blocks until they are there.
    ///
    /// # Errors
    /// As [`find`](Self::find) and [`HubModel::fetch`].
    pub fn fetch(
        &self,
        id: &HubId,
        progress: &mut dyn FnMut(HubProgress<'_>) -> Control,
    ) -> Result<ModelFiles, HubError> {
        self.find(id)?.fetch(progress)
    }

    /// Where the files of a model lie in the cache, if it has a whole model.
    fn cached(&self, id: &HubId, cache: &RepoCache) -> Result<Vec<PathBuf>, HubError> {
        let offline = |missing: String| HubError::Offline {
            id: id.to_string(),
            cache: self.options.cache.clone(),
            missing,
        };
        let commit = cache.read_ref(&id.revision).ok_or_else(|| offline(String::new()))?;
        let names = cache.snapshot_files(&commit);
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let path_of = |name: &str| cache.snapshot(&commit).join(name);
        let parts = Parts::choose(id, &names, |_| Ok(()), path_of).map_err(|error| match error {
            HubError::NotFound(reason) => offline(format!(": {reason}")),
            other => other,
        })?;
        Ok(parts.in_order().into_iter().map(path_of).collect())
    }
}

/// A model that a hub has.
pub struct HubModel {
    id: HubId,
    remote: Arc<Remote>,
    cache: RepoCache,
    state: State,
}

/// Where a model's files are.
enum State {
    /// In the cache, and nobody can be asked whether they are current.
    Cached(Vec<PathBuf>),
    /// Where the hub says.
    Listed(Arc<Listing>),
}

impl HubModel {
    /// All files: from the cache if they are there and current, else from the hub. Blocks until they are there.
    ///
    /// # Errors
    /// See [`HubError`]. What came before an error is kept, and the next call goes on from there.
    pub fn fetch(
        &self,
        progress: &mut dyn FnMut(HubProgress<'_>) -> Control,
    ) -> Result<ModelFiles, HubError> {
        let listing = match &self.state {
            State::Cached(paths) => return self.open(paths.iter().map(|path| open(path)).collect()),
            State::Listed(listing) => listing,
        };
        let mut bring = self.bringer(listing, progress);
        let parts = self.choose(listing, &mut bring)?;
        bring(&parts.weights)?;
        self.cache.write_ref(&self.id.revision, &listing.commit)?;
        self.open(parts.in_order().into_iter().map(|name| open(&self.path_of(listing, name))).collect())
    }

    /// The same files, but weights that are not in the cache stay on the hub: reading them reads from there. For what
    /// needs no more than their headers. Blocks until the small files are there.
    ///
    /// # Errors
    /// As [`fetch`](Self::fetch).
    pub fn peek(&self, progress: &mut dyn FnMut(HubProgress<'_>) -> Control) -> Result<ModelFiles, HubError> {
        let State::Listed(listing) = &self.state else { return self.fetch(progress) };
        let parts = self.choose(listing, &mut self.bringer(listing, progress))?;
        let source = |name: &str| -> Result<Arc<dyn ByteSource>, HubError> {
            match listing.files.iter().find(|file| file.path == name) {
                Some(file) if !self.cache.has(file) => {
                    Ok(Arc::new(RemoteSource::new(&self.remote, &self.id, listing, file)))
                }
                file => {
                    file.map_or(Ok(()), |file| self.cache.link(&listing.commit, file))?;
                    open(&self.path_of(listing, name))
                }
            }
        };
        self.open(parts.in_order().into_iter().map(source).collect())
    }

    fn path_of(&self, listing: &Listing, name: &str) -> PathBuf {
        self.cache.snapshot(&listing.commit).join(name)
    }

    fn choose(
        &self,
        listing: &Listing,
        bring: &mut dyn FnMut(&[String]) -> Result<(), HubError>,
    ) -> Result<Parts, HubError> {
        let names: Vec<&str> = listing.files.iter().map(|file| file.path.as_str()).collect();
        Parts::choose(&self.id, &names, bring, |name| self.path_of(listing, name))
    }

    /// What brings files into the cache, and counts them.
    fn bringer<'a>(
        &'a self,
        listing: &'a Listing,
        progress: &'a mut dyn FnMut(HubProgress<'_>) -> Control,
    ) -> impl FnMut(&[String]) -> Result<(), HubError> + 'a {
        let mut done = 0;
        move |wanted| {
            let files: Vec<&RepoFile> =
                listing.files.iter().filter(|file| wanted.contains(&file.path)).collect();
            let total = done + files.iter().map(|file| file.size).sum::<u64>();
            for file in &files {
                let mut report = |bytes| {
                    progress(HubProgress { file: &file.path, bytes_done: done + bytes, bytes_total: total })
                };
                self.remote.fetch(&self.id, listing, file, &self.cache, &mut report)?;
                self.cache.link(&listing.commit, file)?;
                done += file.size;
            }
            Ok(())
        }
    }

    fn open(&self, sources: Result<Vec<Arc<dyn ByteSource>>, HubError>) -> Result<ModelFiles, HubError> {
        Ok(ModelFiles::from_sources(self.id.name(), sources?))
    }
}

fn open(path: &Path) -> Result<Arc<dyn ByteSource>, HubError> {
    Ok(Arc::new(FileSource::open(path)?))
}

/// Names of a model's files.
struct Parts {
    /// Configuration, tokenizer and the like.
    companions: Vec<String>,
    /// Files of weights.
    weights: Vec<String>,
}

impl Parts {
    /// Chooses a model's files among `names`. `bring` gets the companions; what they say decides on the weights.
    fn choose(
        id: &HubId,
        names: &[&str],
        mut bring: impl FnMut(&[String]) -> Result<(), HubError>,
        path_of: impl Fn(&str) -> PathBuf,
    ) -> Result<Self, HubError> {
        let (companions, index, shards) = match choose(id, names)? {
            Choice::Gguf(weights) => return Ok(Self { companions: Vec::new(), weights }),
            Choice::Checkpoint { files, index, shards } => (files, index, shards),
        };
        bring(&companions)?;
        let weights = match index {
            None => shards,
            Some(index) => {
                let path = path_of(&index);
                shards_of(&index, &std::fs::read(&path).map_err(HubError::io(&path))?)?
            }
        };
        if let Some(missing) = weights.iter().find(|shard| !names.contains(&shard.as_str())) {
            return Err(HubError::NotFound(format!(
                "{id} names {missing} as part of it, but has no such file"
            )));
        }
        Ok(Self { companions, weights })
    }

    /// All names. A file of a folder may have the name of one at the top, which is the one that counts.
    fn in_order(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.companions.iter().chain(&self.weights).map(String::as_str).collect();
        names.sort_by_key(|name| (name.matches('/').count(), *name));
        names
    }
}
