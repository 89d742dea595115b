//! How hubs are asked: addresses and listings. Mirrors speak as Hugging Face does, except ModelScope.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use super::HubId;
use super::listing::{Digest, RepoFile, is_safe};

/// What stays as it is in a part of a URL's path.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
const PATH: &AsciiSet = &SEGMENT.remove(b'/');

/// What a hub understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// <https://huggingface.co/docs/hub/api>
    HuggingFace,
    /// <https://modelscope.cn/docs>
    ModelScope,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(rename = "type")]
    kind: String,
    path: String,
    #[serde(default)]
    size: u64,
    #[serde(default)]
    oid: String,
    lfs: Option<Lfs>,
}

#[derive(Deserialize)]
struct Lfs {
    oid: String,
    size: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ModelScopeListing {
    data: ModelScopeData,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ModelScopeData {
    files: Vec<ModelScopeEntry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ModelScopeEntry {
    r#type: String,
    path: String,
    #[serde(default)]
    size: u64,
    #[serde(default)]
    sha256: Option<String>,
}

impl Dialect {
    /// That of the hub at `endpoint`.
    pub(crate) fn of(endpoint: &str) -> Self {
        if endpoint.contains("modelscope") { Self::ModelScope } else { Self::HuggingFace }
    }

    /// What the newest revision is called there.
    fn revision(self, revision: &str) -> &str {
        if self == Self::ModelScope && revision == "main" { "master" } else { revision }
    }

    /// Where all files of a revision are listed.
    pub(crate) fn listing_url(self, endpoint: &str, id: &HubId) -> String {
        let (repo, revision) = (&id.repo, utf8_percent_encode(self.revision(&id.revision), SEGMENT));
        match self {
            Self::HuggingFace => format!("{endpoint}/api/models/{repo}/tree/{revision}?recursive=true"),
            Self::ModelScope => {
                format!("{endpoint}/api/v1/models/{repo}/repo/files?Revision={revision}&Recursive=true")
            }
        }
    }

    /// Where the bytes of a file are.
    pub(crate) fn file_url(self, endpoint: &str, id: &HubId, revision: &str, path: &str) -> String {
        let (repo, path) = (&id.repo, utf8_percent_encode(path, PATH));
        let revision = utf8_percent_encode(self.revision(revision), SEGMENT);
        let folder = if self == Self::ModelScope { "/models" } else { "" };
        format!("{endpoint}{folder}/{repo}/resolve/{revision}/{path}")
    }

    /// Reads a page of a listing. Files whose path or digest cannot be trusted are left out.
    pub(crate) fn parse(self, json: &[u8]) -> Result<Vec<RepoFile>, serde_json::Error> {
        let file = |path: String, size, digest: &str| {
            let digest = Digest::parse(digest.strip_prefix("sha256:").unwrap_or(digest))?;
            is_safe(&path).then_some(RepoFile { path, size, digest })
        };
        Ok(match self {
            Self::HuggingFace => {
                let entries: Vec<Entry> = serde_json::from_slice(json)?;
                let files = entries.into_iter().filter(|entry| entry.kind == "file");
                files
                    .filter_map(|entry| match entry.lfs {
                        Some(lfs) => file(entry.path, lfs.size.unwrap_or(entry.size), &lfs.oid),
                        None => file(entry.path, entry.size, &entry.oid),
                    })
                    .collect()
            }
            Self::ModelScope => {
                let listing: ModelScopeListing = serde_json::from_slice(json)?;
                let files = listing.data.files.into_iter().filter(|entry| entry.r#type == "blob");
                files.filter_map(|entry| file(entry.path, entry.size, entry.sha256.as_deref()?)).collect()
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listings_give_sizes_and_digests_and_nothing_unsafe() {
        let (sha1, sha256) = ("1".repeat(40), "a".repeat(64));
        let entry = |path: &str| format!(r#"{{"type":"file","oid":"{sha1}","size":7,"path":"{path}"}}"#);
        let json = format!(
            r#"[{{"type":"directory","oid":"{sha1}","size":0,"path":"onnx"}}, {}, {}, {}, {},
                {{"type":"file","oid":"{sha1}","size":9,"path":"w","lfs":{{"oid":"{sha256}","size":9,"pointerSize":1}}}},
                {{"type":"file","oid":"zz","size":9,"path":"no-digest"}}]"#,
            entry("c.json"),
            entry("../up"),
            entry("/root"),
            entry("a//b"),
        );
        let files = Dialect::HuggingFace.parse(json.as_bytes()).unwrap();
        let file = |path: &str, size, digest| RepoFile { path: path.into(), size, digest };
        assert_eq!(files, [file("c.json", 7, Digest::Git(sha1)), file("w", 9, Digest::Sha256(sha256))]);
        assert!(Dialect::HuggingFace.parse(b"{\"error\":1}").is_err());
    }

    #[test]
    fn model_scope_has_addresses_and_listings_of_its_own() {
        let id: HubId = "Qwen/Qwen3-0.6B".parse().unwrap();
        let endpoint = "https://modelscope.cn";
        let dialect = Dialect::of(endpoint);
        assert_eq!(
            dialect.listing_url(endpoint, &id),
            "https://modelscope.cn/api/v1/models/Qwen/Qwen3-0.6B/repo/files?Revision=master&Recursive=true"
        );
        assert_eq!(
            dialect.file_url(endpoint, &id, "v1/x", "a b.json"),
            "https://modelscope.cn/models/Qwen/Qwen3-0.6B/resolve/v1%2Fx/a%20b.json"
        );
        let sha256 = "b".repeat(64);
        let json = format!(
            r#"{{"Code":200,"Data":{{"Files":[{{"Type":"tree","Path":"x","Size":0,"Sha256":""}},
                {{"Type":"blob","Path":"x/c.json","Size":7,"Sha256":"{sha256}","Revision":"r"}},
                {{"Type":"blob","Path":"d","Size":7,"Sha256":null}}]}}}}"#
        );
        let expected = RepoFile { path: "x/c.json".into(), size: 7, digest: Digest::Sha256(sha256) };
        assert_eq!(dialect.parse(json.as_bytes()).unwrap(), [expected]);
        assert!(dialect.parse(br#"{"Code":10010205001,"Data":null}"#).is_err());
        assert_eq!(Dialect::of("https://hf-mirror.com"), Dialect::HuggingFace);
    }
}
