//! Where a model comes from, by the name that a person gives it.

use std::path::{Path, PathBuf};

use qwill::hub::{HubId, HubOptions};

/// Where a model comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The one that ships with the project.
    Demo,
    /// A file or folder.
    Local(PathBuf),
    /// A model of the hub.
    Hub(HubId),
}

impl Source {
    /// Understands `demo`, a path, an id of the hub or the address of a model's page. What lies on the disk goes first.
    ///
    /// # Errors
    /// What would be right.
    pub fn parse(text: &str, hub: &HubOptions) -> Result<Self, String> {
        let text = text.trim();
        if text == "demo" {
            return Ok(Self::Demo);
        }
        if !text.is_empty() && Path::new(text).exists() {
            return Ok(Self::Local(text.into()));
        }
        let is_path = [".gguf", ".safetensors"].iter().any(|ending| text.ends_with(ending))
            || text.starts_with(['/', '.', '~']);
        match hub.id(text) {
            Ok(id) if !is_path || text.contains("://") => Ok(Self::Hub(id)),
            _ if is_path => Err(format!("There is no file or folder \"{text}\".")),
            _ => Err(format!(
                "\"{text}\" is no model: give a GGUF file, a folder, an id such as Qwen/Qwen3-0.6B, or demo."
            )),
        }
    }
}

/// Models that lie in the hub's cache, as ids. They may be there in part.
pub fn cached(hub: &HubOptions) -> Vec<String> {
    let folders = std::fs::read_dir(&hub.cache).into_iter().flatten().flatten();
    let names = folders.filter_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        let (owner, name) = name.strip_prefix("models--")?.split_once("--")?;
        entry.path().join("snapshots").is_dir().then(|| format!("{owner}/{name}"))
    });
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_understood_as_a_person_means_it() {
        let folder = tempfile::tempdir().unwrap();
        let hub = HubOptions { cache: folder.path().to_owned(), ..HubOptions::from_env() };
        let path = folder.path().to_str().unwrap();
        assert_eq!(Source::parse(" demo ", &hub), Ok(Source::Demo));
        assert_eq!(Source::parse(path, &hub), Ok(Source::Local(folder.path().into())));
        let id = Source::parse("Qwen/Qwen3-0.6B", &hub).unwrap();
        assert!(matches!(&id, Source::Hub(id) if id.to_string().starts_with("Qwen/Qwen3-0.6B")), "{id:?}");
        for (wrong, word) in
            [("nothing.gguf", "no file"), ("./x", "no file"), ("a b c", "no model"), ("", "no model")]
        {
            let error = Source::parse(wrong, &hub).unwrap_err();
            assert!(error.contains(word), "{wrong}: {error}");
        }
        for made in ["models--Qwen--Qwen3-0.6B/snapshots", "models--a--b", "datasets--c--d/snapshots"] {
            std::fs::create_dir_all(folder.path().join(made)).unwrap();
        }
        assert_eq!(cached(&hub), ["Qwen/Qwen3-0.6B"]);
    }
}
