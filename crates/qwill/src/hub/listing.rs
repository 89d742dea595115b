//! What a repository holds, and which of it is a model.

use std::collections::BTreeSet;
use std::fmt;

use serde_json::Value;

use super::split_name::split_part;
use super::{HubError, HubId};

/// What a file's bytes must come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Digest {
    /// Of large files: SHA-256 of the bytes.
    Sha256(String),
    /// Of small files: git's name for them, the SHA-1 of a header and the bytes.
    Git(String),
}

impl Digest {
    pub(crate) fn parse(hex: &str) -> Option<Self> {
        let is_hex = hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        match hex.len() {
            64 if is_hex => Some(Self::Sha256(hex.to_owned())),
            40 if is_hex => Some(Self::Git(hex.to_owned())),
            _ => None,
        }
    }
}

/// In lower-case hexadecimal; also the name of the file in the cache.
impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Sha256(hex) | Self::Git(hex)) = self;
        f.write_str(hex)
    }
}

/// A file of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RepoFile {
    /// Path in the repository, with `/`.
    pub(crate) path: String,
    /// Bytes.
    pub(crate) size: u64,
    pub(crate) digest: Digest,
}

/// A path that stays where it belongs. It names files in the cache.
pub(crate) fn is_safe(path: &str) -> bool {
    !path.contains(['\\', ':', '\0'])
        && path.split('/').all(|part| !part.is_empty() && part != "." && part != "..")
}

/// Which files are the model.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    /// One GGUF, or all of its parts.
    Gguf(Vec<String>),
    /// A Hugging Face directory.
    Checkpoint {
        /// Everything but weights, the index included.
        files: Vec<String>,
        /// Names the weight files, if there is one.
        index: Option<String>,
        /// All weight files, for want of an index.
        shards: Vec<String>,
    },
}

const INDEX: &str = "model.safetensors.index.json";
const SINGLE: &str = "model.safetensors";

/// Small files of a checkpoint that are read.
fn is_companion(path: &str) -> bool {
    let exact = [
        "config.json",
        "generation_config.json",
        "adapter_config.json",
        "vocab.json",
        "merges.txt",
        "modules.json",
        INDEX,
    ];
    exact.contains(&path)
        || path == "1_Pooling/config.json"
        || path
            .strip_prefix("additional_chat_templates/")
            .is_some_and(|name| !name.contains('/') && name.ends_with(".jinja"))
        || (!path.contains('/')
            && ((path.starts_with("tokenizer") && path.ends_with(".json"))
                || path.starts_with("chat_template")
                || path.ends_with(".tiktoken")))
}

/// Chooses the model of `id` among a repository's files.
pub(crate) fn choose(id: &HubId, names: &[&str]) -> Result<Choice, HubError> {
    let owned =
        |names: &mut dyn Iterator<Item = &&str>| names.map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let top = |ending: &'static str| move |name: &&&str| !name.contains('/') && name.ends_with(ending);
    let has_weights = names.iter().any(|name| top(".safetensors")(&name));
    let ggufs = Gguf::group(names);
    if id.tag.is_some() || (!has_weights && !ggufs.is_empty()) {
        return Ok(Choice::Gguf(Gguf::choose(id, ggufs)?));
    }
    if !has_weights && !names.contains(&INDEX) {
        return Err(HubError::NotFound(format!(
            "{id} holds no model that qwill reads: neither .safetensors nor .gguf files"
        )));
    }
    // One whole file goes before any parts, and what is left beside it (an index of older parts) says nothing.
    if names.contains(&SINGLE) {
        let files = names.iter().filter(|name| is_companion(name) && **name != INDEX);
        let shards = vec![SINGLE.to_owned()];
        return Ok(Choice::Checkpoint { files: owned(&mut { files }), index: None, shards });
    }
    let mut shards = owned(&mut names.iter().filter(top(".safetensors")));
    // the same weights for other programs
    let is_foreign = |name: &String| name.starts_with("consolidated");
    if !shards.iter().all(is_foreign) {
        shards.retain(|name| !is_foreign(name));
    }
    Ok(Choice::Checkpoint {
        files: owned(&mut names.iter().filter(|name| is_companion(name))),
        index: names.contains(&INDEX).then(|| INDEX.to_owned()),
        shards,
    })
}

/// The tags of all models among a repository's files; nothing in place of a tag stands for a checkpoint.
pub(crate) fn tags(names: &[&str]) -> Vec<Option<String>> {
    let is_checkpoint = names.iter().any(|name| !name.contains('/') && name.ends_with(".safetensors"));
    let checkpoint = is_checkpoint.then_some(None);
    let ggufs = Gguf::group(names);
    let is_short = |group: &Gguf| ggufs.iter().filter(|other| other.tag() == group.tag()).count() == 1;
    let tag = |group: &Gguf| if is_short(group) { group.tag().to_owned() } else { group.stem.clone() };
    checkpoint.into_iter().chain(ggufs.iter().map(|group| Some(tag(group)))).collect()
}

/// The weight files that an index names.
pub(crate) fn shards_of(index: &str, json: &[u8]) -> Result<Vec<String>, HubError> {
    let broken = || HubError::NotFound(format!("{index} does not name the files of the weights"));
    let parsed: Value = serde_json::from_slice(json).map_err(|_| broken())?;
    let map = parsed.get("weight_map").and_then(Value::as_object).ok_or_else(broken)?;
    let shards: BTreeSet<&str> =
        map.values().filter_map(Value::as_str).filter(|name| is_safe(name)).collect();
    if shards.is_empty() { Err(broken()) } else { Ok(shards.into_iter().map(str::to_owned).collect()) }
}

/// One quantisation of a GGUF repository.
struct Gguf {
    /// File name without ending and part number, in upper case.
    stem: String,
    /// Path of each part.
    parts: Vec<String>,
    /// Parts that there should be.
    n_parts: usize,
}

impl Gguf {
    fn group(names: &[&str]) -> Vec<Self> {
        let mut groups: Vec<Self> = Vec::new();
        for path in names {
            let name = path.rsplit('/').next().unwrap_or(path);
            let upper = name.to_uppercase();
            let Some(stem) = upper.strip_suffix(".GGUF") else { continue };
            // projectors of vision models and importance matrices are no models of their own
            if stem.starts_with("MMPROJ") || stem.contains("IMATRIX") {
                continue;
            }
            let (stem, n_parts) = split_part(stem).unwrap_or((stem, 1));
            match groups.iter_mut().find(|group| group.stem == stem && group.n_parts == n_parts) {
                Some(group) => group.parts.push((*path).to_owned()),
                None => groups.push(Self { stem: stem.to_owned(), parts: vec![(*path).to_owned()], n_parts }),
            }
        }
        for group in &mut groups {
            group.parts.sort();
        }
        groups
    }

    /// `Q4_K_M` of `QWEN3-8B-Q4_K_M`.
    fn tag(&self) -> &str {
        self.stem.rsplit(['-', '.']).next().unwrap_or(&self.stem)
    }

    fn choose(id: &HubId, groups: Vec<Self>) -> Result<Vec<String>, HubError> {
        let pick = |wanted: &str| {
            let wanted = wanted.to_uppercase();
            let ends = |group: &&Self| {
                let before = group.stem.strip_suffix(&wanted);
                before.is_some_and(|before| before.is_empty() || before.ends_with(['-', '.', '_']))
            };
            let exact = groups.iter().filter(ends).min_by_key(|group| group.stem.len());
            exact.or_else(|| {
                let mut close = groups.iter().filter(|group| group.stem.contains(&wanted));
                close.next().filter(|_| close.next().is_none())
            })
        };
        let found = match &id.tag {
            Some(tag) => pick(tag),
            None => pick("Q4_K_M")
                .or_else(|| pick("Q8_0"))
                .or_else(|| groups.first().filter(|_| groups.len() == 1)),
        };
        let Some(group) = found else {
            let tags: BTreeSet<&str> = groups.iter().map(Self::tag).collect();
            let tags = tags.into_iter().collect::<Vec<_>>().join(", ");
            return Err(HubError::NotFound(match (&id.tag, tags.is_empty()) {
                (_, true) => format!("{} holds no .gguf files", id.repo),
                (Some(tag), _) => {
                    format!("\"{tag}\" does not name one file of {}; there are {tags}", id.repo)
                }
                (None, _) => {
                    format!("{} holds several models; say which one: {}:TAG with {tags}", id.repo, id.repo)
                }
            }));
        };
        if group.parts.len() != group.n_parts {
            return Err(HubError::NotFound(format!(
                "{} of {} should have {} parts, {} are there",
                group.tag(),
                id.repo,
                group.n_parts,
                group.parts.len()
            )));
        }
        Ok(group.parts.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(id: &str, names: &[&str]) -> Result<Vec<String>, String> {
        match choose(&id.parse().unwrap(), names) {
            Ok(Choice::Gguf(files)) => Ok(files),
            Ok(Choice::Checkpoint { files, index, shards }) => {
                Ok([files, index.map(|i| vec![format!("index {i}")]).unwrap_or_default(), shards].concat())
            }
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn a_quantisation_is_chosen_by_tag_or_by_habit() {
        let repo = [
            "README.md",
            "Q-Q8_0.gguf",
            "Q-Q4_K_M.gguf",
            "Q-Q4_K_S.gguf",
            "Q-UD-Q4_K_M.gguf",
            "Q-BF16.gguf",
            "Q-F16.gguf",
            "mmproj-F16.gguf",
            "big/Q-Q6_K-00002-of-00002.gguf",
            "big/Q-Q6_K-00001-of-00002.gguf",
        ];
        for (id, file) in [
            ("a/b", "Q-Q4_K_M.gguf"),
            ("a/b:q4_k_m", "Q-Q4_K_M.gguf"),
            ("a/b:UD-Q4_K_M", "Q-UD-Q4_K_M.gguf"),
            ("a/b:F16", "Q-F16.gguf"),
            ("a/b:BF16", "Q-BF16.gguf"),
            ("a/b:K_S", "Q-Q4_K_S.gguf"),
        ] {
            assert_eq!(chosen(id, &repo).unwrap(), [file], "{id}");
        }
        let parts = ["big/Q-Q6_K-00001-of-00002.gguf", "big/Q-Q6_K-00002-of-00002.gguf"];
        assert_eq!(chosen("a/b:Q6_K", &repo).unwrap(), parts);
        assert!(chosen("a/b:Q6_K", &repo[..9]).unwrap_err().contains("2 parts, 1 are there"));
        assert!(
            chosen("a/b:Q5_0", &repo)
                .unwrap_err()
                .contains("there are BF16, F16, Q4_K_M, Q4_K_S, Q6_K, Q8_0")
        );
        assert!(chosen("a/b:Q4_K", &repo).is_err(), "two could be meant");
        assert_eq!(chosen("a/b", &["x-Q5_0.gguf", "x-q8_0.gguf"]).unwrap(), ["x-q8_0.gguf"]);
        assert_eq!(chosen("a/b", &["x-iq3_xs.gguf"]).unwrap(), ["x-iq3_xs.gguf"]);
        assert!(
            chosen("a/b", &["x-Q5_0.gguf", "x-Q6_K.gguf"]).unwrap_err().contains("a/b:TAG with Q5_0, Q6_K")
        );
    }

    #[test]
    fn of_a_checkpoint_only_what_is_read_is_taken() {
        let repo = [
            ".gitattributes",
            "1_Pooling/config.json",
            "LICENSE",
            "config.json",
            "chat_template.jinja",
            "merges.txt",
            "model.safetensors",
            "onnx/model.safetensors",
            "onnx/config.json",
            "pytorch_model.bin",
            "qwen.tiktoken",
            "tokenizer.json",
            "tokenizer_config.json",
            "vocab.json",
            "extra.json",
        ];
        let expected = [
            "1_Pooling/config.json",
            "config.json",
            "chat_template.jinja",
            "merges.txt",
            "qwen.tiktoken",
            "tokenizer.json",
            "tokenizer_config.json",
            "vocab.json",
            "model.safetensors",
        ];
        assert_eq!(chosen("a/b", &repo).unwrap(), expected);
        assert!(
            chosen("a/b", &["config.json", "pytorch_model.bin"])
                .unwrap_err()
                .contains("neither .safetensors")
        );
        assert!(chosen("a/b:Q8_0", &repo).unwrap_err().contains("no .gguf files"));
    }

    #[test]
    fn one_whole_file_goes_before_what_is_left_beside_it() {
        let stale = [INDEX, "config.json", "model.safetensors", "model-00001-of-00002.safetensors"];
        assert_eq!(chosen("a/b", &stale).unwrap(), ["config.json", "model.safetensors"]);
        let foreign = ["config.json", "consolidated.safetensors", "model.safetensors"];
        assert_eq!(chosen("a/b", &foreign).unwrap(), ["config.json", "model.safetensors"]);
        let parts = ["config.json", "consolidated-1.safetensors", "m-1.safetensors", "m-2.safetensors"];
        assert_eq!(chosen("a/b", &parts).unwrap(), ["config.json", "m-1.safetensors", "m-2.safetensors"]);
    }

    #[test]
    fn templates_in_their_folder_come_along() {
        let repo = [
            "additional_chat_templates/rag.jinja",
            "additional_chat_templates/x/y.jinja",
            "config.json",
            "model.safetensors",
            "other/z.jinja",
        ];
        let expected = ["additional_chat_templates/rag.jinja", "config.json", "model.safetensors"];
        assert_eq!(chosen("a/b", &repo).unwrap(), expected);
    }

    #[test]
    fn an_adapter_comes_with_its_configuration() {
        let repo = ["README.md", "adapter_config.json", "adapter_model.safetensors", "training_args.bin"];
        assert_eq!(chosen("a/b", &repo).unwrap(), ["adapter_config.json", "adapter_model.safetensors"]);
    }

    #[test]
    fn an_index_names_its_shards_once() {
        let json =
            br#"{"weight_map": {"a": "m-2.safetensors", "b": "m-1.safetensors", "c": "m-2.safetensors"}}"#;
        assert_eq!(shards_of("i", json).unwrap(), ["m-1.safetensors", "m-2.safetensors"]);
        for broken in ["", "[]", "{}", r#"{"weight_map":{}}"#, r#"{"weight_map":{"a":"../../x"}}"#] {
            assert!(shards_of("i", broken.as_bytes()).is_err(), "{broken}");
        }
    }
}
