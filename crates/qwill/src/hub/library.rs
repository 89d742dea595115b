//! What is in the cache: models, one by one, and what their removal frees.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use pollster::block_on;
use qwill_weights::Checkpoint;
use serde_json::Value;

use super::cache::RepoCache;
use super::listing::tags;
use super::{Hub, HubError, HubId, Parts, open};
use crate::ModelFiles;

/// A model that is in the cache, whole.
#[derive(Debug, Clone)]
pub struct CachedModel {
    /// What to ask for. A GGUF file has its tag.
    pub id: HubId,
    /// Bytes of its files.
    pub bytes: u64,
    /// When the last of them came.
    pub changed: SystemTime,
    paths: Vec<PathBuf>,
}

/// What a model's files say of it in a few words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelKind {
    /// Family, such as `qwen3`; of other programs' models, whatever they are.
    pub architecture: String,
    /// The number format of most of its weights, such as `Q4_K`.
    pub format: String,
}

impl CachedModel {
    /// Its files.
    ///
    /// # Errors
    /// [`HubError::Weights`] if one cannot be opened.
    pub fn files(&self) -> Result<ModelFiles, HubError> {
        let sources = self.paths.iter().map(|path| open(path)).collect::<Result<_, _>>()?;
        Ok(ModelFiles::from_sources(self.id.name(), sources))
    }

    /// What it is. Reads headers, no weights; nothing if they cannot be read.
    pub fn kind(&self) -> Option<ModelKind> {
        let is_gguf = |path: &&PathBuf| is_named(path, ".gguf");
        let is_weights = |path: &&PathBuf| is_gguf(path) || is_named(path, ".safetensors");
        let weights =
            self.paths.iter().filter(is_weights).map(|path| open(path)).collect::<Result<_, _>>().ok()?;
        let config = self.paths.iter().find(|path| is_named(path, "config.json"));
        let config = config.and_then(|path| std::fs::read(path).ok()).unwrap_or_default();
        let config: Value = serde_json::from_slice(&config).unwrap_or_default();
        let (checkpoint, architecture) = if self.paths.iter().any(|path| is_gguf(&path)) {
            let checkpoint = block_on(Checkpoint::open_gguf(weights)).ok()?;
            let name = checkpoint.metadata().get_str("general.architecture").ok()??.to_owned();
            (checkpoint, name)
        } else {
            let checkpoint = block_on(Checkpoint::open_safetensors(weights, None)).ok()?;
            (checkpoint, config["model_type"].as_str()?.to_owned())
        };
        let packed = config["quantization_config"]["quant_method"].as_str().map(str::to_uppercase);
        let largest = || {
            let tensors = checkpoint.tensors();
            let mut bytes: Vec<(String, u64)> = Vec::new();
            for tensor in tensors {
                let format = tensor.dtype.to_string();
                match bytes.iter_mut().find(|(known, _)| *known == format) {
                    Some((_, sum)) => *sum += tensor.byte_len,
                    None => bytes.push((format, tensor.byte_len)),
                }
            }
            bytes.into_iter().max_by_key(|(_, sum)| *sum).map(|(format, _)| format)
        };
        Some(ModelKind { architecture, format: packed.or_else(largest)? })
    }
}

fn is_named(path: &Path, ending: &str) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().ends_with(ending))
}

/// What is deleted, and what that frees.
#[derive(Debug)]
pub struct Removal {
    /// The models that go.
    pub models: Vec<HubId>,
    /// Bytes that are free afterwards.
    pub bytes: u64,
    files: Vec<PathBuf>,
    folders: Vec<PathBuf>,
}

impl Removal {
    /// Deletes it.
    ///
    /// # Errors
    /// [`HubError::Io`] with the first file that stays.
    pub fn run(self) -> Result<(), HubError> {
        for file in self.files {
            std::fs::remove_file(&file).map_err(HubError::io(&file))?;
        }
        for folder in self.folders.into_iter().filter(|folder| folder.exists()) {
            std::fs::remove_dir_all(&folder).map_err(HubError::io(&folder))?;
        }
        Ok(())
    }
}

impl Hub {
    /// All models in the cache, those of other programs too, by name.
    ///
    /// # Errors
    /// [`HubError::Io`] if the cache is there and cannot be read.
    pub fn cached_models(&self) -> Result<Vec<CachedModel>, HubError> {
        let root = &self.options.cache;
        let entries = match std::fs::read_dir(root) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(HubError::io(root))?,
        };
        let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
        let repos = names.filter_map(|name| Some(name.strip_prefix("models--")?.replacen("--", "/", 1)));
        let mut models: Vec<CachedModel> =
            repos.filter_map(|repo| repo.parse().ok()).flat_map(|id: HubId| self.models_of(&id)).collect();
        models.sort_by_key(|model| model.id.to_string());
        Ok(models)
    }

    /// The models of one repository, in all revisions that the cache has.
    fn models_of(&self, id: &HubId) -> Vec<CachedModel> {
        let cache = RepoCache::new(&self.options.cache, id);
        let mut models = Vec::new();
        for (revision, commit) in cache.revisions() {
            let names = cache.snapshot_files(&commit);
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            for tag in tags(&names) {
                let id = HubId { tag, revision: revision.clone(), ..id.clone() };
                let path_of = |name: &str| cache.snapshot(&commit).join(name);
                // what is not whole is no model yet
                let Ok(parts) = Parts::choose(&id, &names, |_| Ok(()), path_of) else { continue };
                let paths: Vec<PathBuf> = parts.in_order().into_iter().map(path_of).collect();
                let facts: Vec<_> = paths.iter().filter_map(|path| path.metadata().ok()).collect();
                let bytes = facts.iter().map(std::fs::Metadata::len).sum();
                let changed = facts.iter().filter_map(|facts| facts.modified().ok()).max();
                let changed = changed.unwrap_or(SystemTime::UNIX_EPOCH);
                models.push(CachedModel { id, bytes, changed, paths });
            }
        }
        models
    }

    /// What would go if a model were removed: one GGUF file if the id has a tag, else the repository, or its revision if the
    /// id has one. What other models of the cache use stays. [`Removal::run`] does it.
    ///
    /// # Errors
    /// [`HubError::NotFound`] if the cache does not have it.
    pub fn removal(&self, id: &HubId) -> Result<Removal, HubError> {
        let cache = RepoCache::new(&self.options.cache, id);
        let all = self.models_of(id);
        let ids = |models: Vec<CachedModel>| models.into_iter().map(|model| model.id).collect();
        let missing = || {
            let others: Vec<String> = all.iter().map(|model| model.id.to_string()).collect();
            let others =
                if others.is_empty() { String::new() } else { format!("; it has {}", others.join(", ")) };
            HubError::NotFound(format!("{id} is not in {}{others}", self.options.cache.display()))
        };
        if id.tag.is_none() && id.revision == "main" {
            let folders = cache.folders();
            if folders.is_empty() {
                return Err(missing());
            }
            let bytes = cache.blobs().iter().map(|(_, bytes)| bytes).sum();
            return Ok(Removal { models: ids(all), bytes, files: Vec::new(), folders });
        }
        let commit = cache.read_ref(&id.revision).ok_or_else(missing)?;
        let names = cache.snapshot_files(&commit);
        let gone: Vec<String> = match id.tag {
            None => names.clone(),
            Some(_) => {
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                let parts = Parts::choose(id, &names, |_| Ok(()), |name| cache.snapshot(&commit).join(name));
                let parts = parts.map_err(|_| missing())?;
                parts.in_order().into_iter().map(str::to_owned).collect()
            }
        };
        let is_whole = gone.len() == names.len();
        let gone: Vec<PathBuf> = gone.iter().map(|name| cache.snapshot(&commit).join(name)).collect();
        let blobs = cache.blobs_of_none_but(&gone);
        let lost = all.into_iter().filter(|model| model.paths.iter().any(|path| gone.contains(path)));
        let models = ids(lost.collect());
        let bytes = blobs.iter().map(|(_, bytes)| bytes).sum();
        if is_whole && cache.commits() == [commit.clone()] {
            return Ok(Removal { models, bytes, files: Vec::new(), folders: cache.folders() });
        }
        let refs = if is_whole { cache.refs_of(&commit) } else { Vec::new() };
        let folders = if is_whole { vec![cache.snapshot(&commit)] } else { Vec::new() };
        let blobs = blobs.into_iter().map(|(path, _)| path);
        Ok(Removal { models, bytes, files: gone.into_iter().chain(blobs).chain(refs).collect(), folders })
    }
}
