//! Ids: `owner/name[:TAG][@REVISION]`, also behind the hub's name, or as the address of a model's page.

use std::fmt;
use std::str::FromStr;

use super::HubError;
use super::split_name::split_part;

/// A model on a hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubId {
    /// `owner/name`
    pub repo: String,
    /// Which of a GGUF repository's files: part of the file's name, such as `Q4_K_M`.
    pub tag: Option<String>,
    /// Branch, tag or commit.
    pub revision: String,
}

impl HubId {
    /// The part after the owner.
    pub fn name(&self) -> &str {
        self.repo.rsplit('/').next().unwrap_or(&self.repo)
    }
}

impl fmt::Display for HubId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.repo)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if self.revision == "main" { Ok(()) } else { write!(f, "@{}", self.revision) }
    }
}

/// Letters, digits and a few signs, none of which can lead out of a folder.
fn is_plain(part: &str, extra: &str) -> bool {
    let first = part.chars().next();
    first.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_')
        && part.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c) || extra.contains(c))
        && !part.contains("..")
        && !part.ends_with('/')
}

impl FromStr for HubId {
    type Err = HubError;

    fn from_str(text: &str) -> Result<Self, HubError> {
        let error = || HubError::Id(text.to_owned());
        if let Some(path) = path_of_address(text) {
            return Self::of_page(path).ok_or_else(error);
        }
        let (rest, revision) = text.split_once('@').unwrap_or((text, "main"));
        let (repo, tag) = match rest.split_once(':') {
            Some((repo, tag)) => (repo, Some(tag)),
            None => (rest, None),
        };
        let (owner, name) = repo.split_once('/').ok_or_else(error)?;
        // "--" stands for "/" in the cache's folder names
        let is_name = |part: &str| is_plain(part, "") && !part.contains("--");
        let is_model = is_name(owner) && is_name(name) && tag.is_none_or(|tag| is_plain(tag, ""));
        if !is_model || !is_plain(revision, "/") || revision.contains("//") {
            return Err(error());
        }
        Ok(Self { repo: repo.to_owned(), tag: tag.map(str::to_owned), revision: revision.to_owned() })
    }
}

/// Hosts whose pages and ids are those of the Hugging Face hub.
const HOSTS: [&str; 4] = ["hf.co", "huggingface.co", "www.huggingface.co", "hf-mirror.com"];

/// What stands behind the host, if a text is an address of the hub.
fn path_of_address(text: &str) -> Option<&str> {
    let address = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).unwrap_or(text);
    let (host, path) = address.split_once('/')?;
    HOSTS.iter().any(|known| host.eq_ignore_ascii_case(known)).then_some(path)
}

impl HubId {
    /// The id behind the path of a page: `owner/name:TAG` as Ollama and llama.cpp have it, the page of a model, of its files,
    /// or of one GGUF file, which its name then stands for.
    pub(crate) fn of_page(path: &str) -> Option<Self> {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let path = path.split('#').next()?.trim_matches('/');
        let parts: Vec<&str> = path.split('/').collect();
        let (mut id, file): (Self, Option<&str>) = match parts[..] {
            [owner, name] | [owner, name, "discussions" | "commits" | "tree" | "blob", ..]
                if parts.len() < 4 =>
            {
                (format!("{owner}/{name}").parse().ok()?, None)
            }
            [owner, name, "tree" | "commits", revision, ..] => {
                (format!("{owner}/{name}@{}", decoded(revision)).parse().ok()?, None)
            }
            [owner, name, "blob" | "resolve" | "raw", revision, .., file] => {
                (format!("{owner}/{name}@{}", decoded(revision)).parse().ok()?, Some(file))
            }
            [owner, name, "discussions", ..] => (format!("{owner}/{name}").parse().ok()?, None),
            _ => return None,
        };
        let shown = query.split('&').find_map(|pair| pair.strip_prefix("show_file_info="));
        if let Some(file) = file.or(shown)
            && let Some(tag) = tag_of_file(&decoded(file))
        {
            id.tag = Some(tag).filter(|tag| is_plain(tag, ""));
        }
        Some(id)
    }
}

fn decoded(part: &str) -> String {
    percent_encoding::percent_decode_str(part).decode_utf8_lossy().into_owned()
}

/// What names a GGUF file among others: its own name, without ending and part number.
fn tag_of_file(path: &str) -> Option<String> {
    let name = path.rsplit('/').next()?;
    let stem = name.get(..name.len().checked_sub(5)?)?;
    let is_gguf = name[stem.len()..].eq_ignore_ascii_case(".gguf");
    is_gguf.then(|| split_part(stem).map_or(stem, |(base, _)| base).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_and_written() {
        for text in ["Qwen/Qwen3-0.6B", "Qwen/Qwen3-8B-GGUF:Q4_K_M", "a/b@refs/pr/1", "a_b/c.d:q8_0@v1"] {
            assert_eq!(text.parse::<HubId>().unwrap().to_string(), text);
        }
        let id: HubId = "Qwen/Qwen3-8B-GGUF:Q4_K_M@main".parse().unwrap();
        assert_eq!((id.name(), id.tag.as_deref()), ("Qwen3-8B-GGUF", Some("Q4_K_M")));
    }

    #[test]
    fn addresses_of_pages_are_ids() {
        let base = "Qwen/Qwen3-8B-GGUF";
        for (address, id) in [
            ("hf.co/Qwen/Qwen3-8B-GGUF:Q4_K_M", format!("{base}:Q4_K_M")),
            ("huggingface.co/Qwen/Qwen3-8B-GGUF", base.into()),
            ("https://huggingface.co/Qwen/Qwen3-8B-GGUF", base.into()),
            ("https://HF.co/Qwen/Qwen3-8B-GGUF/", base.into()),
            ("https://huggingface.co/Qwen/Qwen3-8B-GGUF:Q8_0@v1", format!("{base}:Q8_0@v1")),
            ("https://huggingface.co/Qwen/Qwen3-8B-GGUF/tree/main", base.into()),
            ("https://huggingface.co/Qwen/Qwen3-8B-GGUF/tree/refs%2Fpr%2F1", format!("{base}@refs/pr/1")),
            ("https://huggingface.co/Qwen/Qwen3-8B-GGUF?library=transformers", base.into()),
            ("https://huggingface.co/Qwen/Qwen3-8B-GGUF#usage", base.into()),
            ("https://huggingface.co/Qwen/Qwen3-8B-GGUF/discussions/3", base.into()),
            (
                "https://huggingface.co/Qwen/Qwen3-8B-GGUF/blob/main/Qwen3-8B-Q4_K_M.gguf",
                format!("{base}:Qwen3-8B-Q4_K_M"),
            ),
            (
                "https://huggingface.co/Qwen/Qwen3-8B-GGUF/resolve/v2/x/Q-Q6_K-00001-of-00002.gguf?download=true",
                format!("{base}:Q-Q6_K@v2"),
            ),
            (
                "https://huggingface.co/Qwen/Qwen3-8B-GGUF?show_file_info=Qwen3-8B-Q8_0.gguf",
                format!("{base}:Qwen3-8B-Q8_0"),
            ),
            ("https://huggingface.co/Qwen/Qwen3-8B-GGUF/blob/main/config.json", base.into()),
        ] {
            assert_eq!(address.parse::<HubId>().map(|id| id.to_string()).ok(), Some(id), "{address}");
        }
        for text in [
            "hf.co/a",
            "https://huggingface.co/",
            "hf.co/../b",
            "https://huggingface.co/a/b/x/y",
            "hf.co/a/b:",
        ] {
            assert!(text.parse::<HubId>().is_err(), "{text}");
        }
    }

    #[test]
    fn what_could_leave_the_cache_or_the_hub_is_no_id() {
        for text in [
            "",
            "demo",
            "/",
            "a/",
            "/b",
            "a/b/c",
            "../b",
            "a/..",
            "a/.b",
            "a--b/c",
            "a/b:",
            "a/b@",
            "a/b@../x",
            "a/b@x//y",
            "a/b@/x",
            "a/b@x/",
            "a b/c",
            "a/b?x",
            "https://x/y",
            "./a/b",
            "a/b:c/d",
            "a/b@x:y",
        ] {
            assert!(matches!(text.parse::<HubId>(), Err(HubError::Id(_))), "{text}");
        }
    }
}
