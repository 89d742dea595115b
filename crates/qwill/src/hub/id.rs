//! Ids: `owner/name[:TAG][@REVISION]`.

use std::fmt;
use std::str::FromStr;

use super::HubError;

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
