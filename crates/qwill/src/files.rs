//! The files of a model, wherever they lie.

use std::sync::Arc;

use qwill_models::{Config, config_from_gguf};
use qwill_text::{GenerationConfig, Tokenizer};
use qwill_weights::{ByteSource, Checkpoint};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::templates::{DEFAULT, Templates};
use crate::{Error, gguf_metadata, lfs};

/// Files that together are a model: one GGUF (or its parts), or a Hugging Face directory's.
#[derive(Clone)]
pub struct ModelFiles {
    name: String,
    files: Vec<Arc<dyn ByteSource>>,
}

impl std::fmt::Debug for ModelFiles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<&str> = self.files.iter().map(|file| file.name()).collect();
        f.debug_struct("ModelFiles").field("name", &self.name).field("files", &names).finish()
    }
}

/// The last part of a path or URL.
pub(crate) fn base_name(name: &str) -> &str {
    name.rsplit(['/', '\\']).next().unwrap_or(name)
}

/// The folder of a file, without those above it.
fn folder(name: &str) -> &str {
    name.rsplit(['/', '\\']).nth(1).unwrap_or_default()
}

/// Everything about a model but its weights in GPU memory.
pub(crate) struct Opened {
    pub(crate) name: String,
    pub(crate) checkpoint: Checkpoint,
    pub(crate) config: Config,
    pub(crate) tokenizer: Option<Tokenizer>,
    pub(crate) templates: Templates,
    pub(crate) generation: GenerationConfig,
    /// The file that the configuration came from.
    pub(crate) config_file: String,
}

/// All files of a split GGUF, `NAME-00001-of-00003.gguf` and so on, if the path is one of them; else the path itself.
#[cfg(not(target_arch = "wasm32"))]
fn parts(path: &std::path::Path) -> Vec<std::path::PathBuf> {
    let numbers = |stem: &str| {
        let (name, count) = stem.rsplit_once("-of-")?;
        let (name, number) = name.rsplit_once('-')?;
        let is_number = |text: &str| text.len() == 5 && text.bytes().all(|b| b.is_ascii_digit());
        (is_number(number) && is_number(count)).then(|| Some((name.to_owned(), count.parse().ok()?)))?
    };
    let stem = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_suffix(".gguf"));
    match stem.and_then(numbers) {
        Some((name, count)) => (1..=count)
            .map(|n: u32| path.with_file_name(format!("{name}-{n:05}-of-{count:05}.gguf")))
            .collect(),
        None => vec![path.to_owned()],
    }
}

impl Opened {
    /// An error about the configuration, with the file that it came from.
    pub(crate) fn config_error(&self, source: qwill_models::Error) -> Error {
        Error::Model { file: self.config_file.clone(), source }
    }
}

/// The weights of a model, in one file.
const SINGLE: &str = "model.safetensors";
/// The folder of templates beside the usual one.
const TEMPLATES: &str = "additional_chat_templates";
/// The folder that says how an embedding is made of the states of tokens.
const POOLING: &str = "1_Pooling";
impl ModelFiles {
    /// Files that somebody else reads; `name` is for people.
    pub fn from_sources(name: impl Into<String>, files: Vec<Arc<dyn ByteSource>>) -> Self {
        Self { name: name.into(), files }
    }

    /// A GGUF file, the first or any other part of one that is split, or a Hugging Face directory.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn from_path(path: impl AsRef<std::path::Path>) -> Result<Self, Error> {
        use qwill_weights::FileSource;
        let path = path.as_ref();
        let shown = path.display();
        let name = path.file_stem().map_or_else(|| shown.to_string(), |s| s.to_string_lossy().into_owned());
        if path.is_file() {
            let mut files: Vec<Arc<dyn ByteSource>> = Vec::new();
            for part in parts(path) {
                files.push(Arc::new(FileSource::open(&part)?));
            }
            return Ok(Self { name, files });
        }
        if !path.exists() {
            return Err(Error::Files(format!(
                "there is no file or directory \"{shown}\"; give a GGUF file, a Hugging Face directory, or \"demo\""
            )));
        }
        let mut files: Vec<Arc<dyn ByteSource>> = Vec::new();
        for (folder, wanted) in [
            (path.to_owned(), &["json", "safetensors", "gguf", "txt", "tiktoken", "jinja"][..]),
            (path.join(TEMPLATES), &["jinja"]),
            (path.join(POOLING), &["json"]),
        ] {
            let io = |e: std::io::Error| Error::Files(format!("{}: {e}", folder.display()));
            if folder != path && !folder.is_dir() {
                continue;
            }
            for entry in std::fs::read_dir(&folder).map_err(io)? {
                let file = entry.map_err(io)?.path();
                if file.extension().and_then(|e| e.to_str()).is_some_and(|e| wanted.contains(&e))
                    && file.is_file()
                {
                    files.push(Arc::new(FileSource::open(&file)?));
                }
            }
        }
        Ok(Self { name, files })
    }

    /// The model that ships with the project.
    #[cfg(feature = "demo")]
    pub fn demo() -> Self {
        let source = qwill_weights::MemorySource::new("qwill-demo-q8_0.gguf", qwill_demo_model::GGUF);
        Self { name: "demo".into(), files: vec![Arc::new(source)] }
    }

    /// The file of that name, the one at the top before those in folders.
    fn find(&self, name: &str) -> Option<&Arc<dyn ByteSource>> {
        let mut found = self.files.iter().filter(|file| base_name(file.name()) == name);
        let is_at_top = |file: &&Arc<dyn ByteSource>| ![TEMPLATES, POOLING].contains(&folder(file.name()));
        let first = found.clone().find(is_at_top);
        first.or_else(|| found.next())
    }

    /// Files that lie in a folder of that name.
    fn in_folder(&self, name: &str) -> impl Iterator<Item = &Arc<dyn ByteSource>> {
        self.files.iter().filter(move |file| folder(file.name()) == name)
    }

    /// Refuses files that are not here.
    pub(crate) async fn check_whole(&self) -> Result<(), Error> {
        for file in &self.files {
            if let Some(reason) = lfs::explain(&**file).await? {
                return Err(Error::Files(reason));
            }
        }
        Ok(())
    }

    pub(crate) async fn read(&self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        match self.find(name) {
            Some(file) => Ok(Some(file.read(0..file.len()).await?)),
            None => Ok(None),
        }
    }

    pub(crate) fn with_extension(&self, extension: &str) -> Vec<Arc<dyn ByteSource>> {
        self.files.iter().filter(|file| file.name().ends_with(extension)).cloned().collect()
    }

    /// What tells other files from these, by their lengths and some of their bytes: 4 KiB at 16 places in each.
    pub(crate) async fn fingerprint(&self) -> Result<String, Error> {
        const PLACES: u64 = 16;
        const BYTES: u64 = 4096;
        let mut hash = Sha256::new();
        let mut files: Vec<_> = self.files.iter().collect();
        files.sort_by_key(|file| base_name(file.name()));
        for file in files {
            hash.update(file.len().to_le_bytes());
            for place in 0..PLACES {
                let from = file.len().saturating_sub(BYTES) / (PLACES - 1) * place;
                hash.update(file.read(from..file.len().min(from + BYTES)).await?);
            }
        }
        Ok(hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect())
    }

    /// Only the tokenizer: no weights, no GPU.
    pub async fn tokenizer(self) -> Result<Tokenizer, Error> {
        self.check_whole().await?;
        let tokenizer = match self.read("config.json").await? {
            Some(config_json) if self.with_extension(".gguf").is_empty() => {
                let config = parse_config(&config_json)?;
                let tokenizer_config = self.read("tokenizer_config.json").await?;
                self.hugging_face_tokenizer(tokenizer_config.as_deref(), n_rows(&config)).await?
            }
            _ => self.open().await?.tokenizer,
        };
        tokenizer.ok_or_else(Error::no_tokenizer)
    }

    pub(crate) async fn open(self) -> Result<Opened, Error> {
        self.check_whole().await?;
        let gguf = self.with_extension(".gguf");
        if !gguf.is_empty() {
            return self.open_gguf(gguf).await;
        }
        let shards = self.with_extension(".safetensors");
        let Some(config_json) = self.read("config.json").await? else {
            return Err(self.no_model("there is no config.json"));
        };
        if shards.is_empty() {
            return Err(self.no_model("there are no .safetensors files"));
        }
        self.open_hugging_face(shards, config_json).await
    }

    fn no_model(&self, reason: &str) -> Error {
        Error::Files(format!(
            "\"{}\" is no model: {reason}. A model is a .gguf file, or config.json, tokenizer.json and .safetensors \
             files; found: {}",
            self.name,
            self.listing()
        ))
    }

    /// The name, for people.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// What there is, for people.
    pub(crate) fn listing(&self) -> String {
        let names: Vec<&str> = self.files.iter().map(|file| base_name(file.name())).collect();
        if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
    }

    async fn open_gguf(self, files: Vec<Arc<dyn ByteSource>>) -> Result<Opened, Error> {
        let config_file = files[0].name().to_owned();
        let checkpoint = Checkpoint::open_gguf(files).await?;
        let config = config_from_gguf(&checkpoint)?;
        let metadata = checkpoint.metadata();
        let tokenizer = gguf_metadata::tokenizer(metadata)?;
        let generation = gguf_metadata::generation(metadata, tokenizer.as_ref())?;
        let templates = gguf_metadata::templates(metadata)?;
        let name = metadata.get_str("general.name")?.unwrap_or(&self.name).to_owned();
        Ok(Opened { name, config, tokenizer, templates, generation, config_file, checkpoint })
    }

    async fn open_hugging_face(
        self,
        shards: Vec<Arc<dyn ByteSource>>,
        config_json: Vec<u8>,
    ) -> Result<Opened, Error> {
        let (shards, index) = self.choose_shards(shards).await?;
        let checkpoint = Checkpoint::open_safetensors(shards, index.as_deref()).await?;
        let parsed = parse_config(&config_json)?;
        let tokenizer_config = self.read("tokenizer_config.json").await?;
        let tokenizer = self.hugging_face_tokenizer(tokenizer_config.as_deref(), n_rows(&parsed)).await?;
        let generation_config = self.read("generation_config.json").await?;
        let generation = GenerationConfig::from_json(
            generation_config.as_deref(),
            Some(&config_json),
            tokenizer.as_ref(),
        )?;
        let templates = self.templates(tokenizer.as_ref()).await?;
        self.check_pooling().await?;
        Ok(Opened {
            name: self.name,
            checkpoint,
            config: Config::new(parsed),
            tokenizer,
            templates,
            generation,
            config_file: "config.json".into(),
        })
    }

    /// The files of the weights, and the index that says what is in which: one whole file before any parts, whatever was
    /// left beside it. What is not of the model (`consolidated.safetensors` is the same weights for other programs) is
    /// left out.
    async fn choose_shards(
        &self,
        mut shards: Vec<Arc<dyn ByteSource>>,
    ) -> Result<(Vec<Arc<dyn ByteSource>>, Option<Vec<u8>>), Error> {
        let is_single = |file: &Arc<dyn ByteSource>| base_name(file.name()) == SINGLE;
        if shards.iter().any(is_single) {
            shards.retain(is_single);
            return Ok((shards, None));
        }
        let is_foreign = |file: &Arc<dyn ByteSource>| base_name(file.name()).starts_with("consolidated");
        if !shards.iter().all(is_foreign) {
            shards.retain(|file| !is_foreign(file));
        }
        Ok((shards, self.read("model.safetensors.index.json").await?))
    }

    /// Those of the tokenizer's configuration; a template in a file of its own goes before all of them, and those of the
    /// folder come on top.
    async fn templates(&self, tokenizer: Option<&Tokenizer>) -> Result<Templates, Error> {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let mut sources: Vec<(String, String)> = Vec::new();
        match self.read("chat_template.jinja").await? {
            Some(own) => sources.push((DEFAULT.to_owned(), text(own))),
            None => sources.extend(tokenizer.into_iter().flat_map(|tokenizer| {
                let named = tokenizer.config().chat_templates();
                named.map(|(name, source)| (name.to_owned(), source.to_owned()))
            })),
        }
        for file in self.in_folder(TEMPLATES) {
            if let Some(name) = base_name(file.name()).strip_suffix(".jinja") {
                sources.push((name.to_owned(), text(file.read(0..file.len()).await?)));
            }
        }
        Templates::new(sources)
    }

    /// Refuses embeddings that are not the last token's state, which is what every Qwen was trained for.
    async fn check_pooling(&self) -> Result<(), Error> {
        let Some(file) = self.in_folder(POOLING).find(|file| base_name(file.name()) == "config.json") else {
            return Ok(());
        };
        let config: Value = serde_json::from_slice(&file.read(0..file.len()).await?).unwrap_or_default();
        let modes = config.as_object().into_iter().flatten();
        let mut other = modes.filter(|(key, on)| {
            key.starts_with("pooling_mode_")
                && key.as_str() != "pooling_mode_lasttoken"
                && **on == json!(true)
        });
        match other.next() {
            None => Ok(()),
            Some((key, _)) => Err(Error::Files(format!(
                "{} says \"{key}\": true, but only the last token's state (pooling_mode_lasttoken) is supported",
                file.name()
            ))),
        }
    }

    /// The tokenizer in whichever form the repository has it, the newest first.
    async fn hugging_face_tokenizer(
        &self,
        config: Option<&[u8]>,
        n_rows: Option<usize>,
    ) -> Result<Option<Tokenizer>, Error> {
        if let Some(json) = self.read("tokenizer.json").await? {
            return Ok(Some(Tokenizer::from_json(&json, config)?));
        }
        if let (Some(vocab), Some(merges)) = (self.read("vocab.json").await?, self.read("merges.txt").await?)
        {
            return Ok(Some(Tokenizer::from_vocab_merges(&vocab, &merges, config)?));
        }
        match self.read("qwen.tiktoken").await? {
            Some(ranks) => Ok(Some(Tokenizer::from_tiktoken(&ranks, n_rows)?)),
            None => Ok(None),
        }
    }
}

fn parse_config(json: &[u8]) -> Result<Value, Error> {
    serde_json::from_slice(json).map_err(|e| Error::Files(format!("config.json is not JSON: {e}")))
}

/// Rows of the embedding.
fn n_rows(config: &Value) -> Option<usize> {
    config["vocab_size"].as_u64().and_then(|n| usize::try_from(n).ok())
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use std::path::Path;

    use super::parts;

    #[test]
    fn parts_of_a_split_file() {
        let names = |path: &str| {
            let parts = parts(Path::new(path));
            parts.iter().map(|part| part.to_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        let all = [
            "a/Q-8B-Q4-00001-of-00003.gguf",
            "a/Q-8B-Q4-00002-of-00003.gguf",
            "a/Q-8B-Q4-00003-of-00003.gguf",
        ];
        assert_eq!(names(all[0]), all);
        assert_eq!(names(all[1]), all);
        for whole in
            ["Qwen3-8B-Q4_K_M.gguf", "one-of-a-kind.gguf", "a-1-of-2.gguf", "x-00001-of-00002.safetensors"]
        {
            assert_eq!(names(whole), [whole]);
        }
    }
}
