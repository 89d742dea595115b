//! Talking to the hub: listings, and files that are gone on with where they stopped.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use sha1::Sha1;
use sha2::{Digest as _, Sha256};
use ureq::http::{HeaderMap, Response};
use ureq::{Agent, Body};

use super::address::{join, same_origin};
use super::cache::{RepoCache, create_parent, is_commit};
use super::dialect::Dialect;
use super::listing::{Digest, RepoFile};
use super::{HubError, HubId, HubOptions};
use crate::Control;

/// Requests in a row that may bring nothing before a download is given up.
const ATTEMPTS: u32 = 5;
/// No server may make us wait longer than this.
const LONGEST_DELAY: Duration = Duration::from_secs(60);
/// A file is at most so many servers away.
const MAX_REDIRECTS: usize = 10;
/// Listings beyond this are not believed.
const LISTING_BYTES: u64 = 64 << 20;

/// A revision of a repository.
pub(crate) struct Listing {
    /// Names the snapshot.
    pub(crate) commit: String,
    /// Whether the hub knows files by `commit`; else they are asked for by the revision.
    pinned: bool,
    pub(crate) files: Vec<RepoFile>,
}

pub(crate) struct Remote {
    agent: Agent,
    dialect: Dialect,
    endpoint: String,
    token: Option<String>,
    retry_delay: Duration,
}

/// What became of one request for a file.
enum Attempt {
    Complete,
    /// More may come of another one, after this long if the server said so.
    Again {
        reason: String,
        wait: Option<Duration>,
    },
    /// What is there does not belong to what the server has.
    StartOver {
        reason: String,
    },
}

impl Remote {
    pub(crate) fn new(options: &HubOptions) -> Self {
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            // Followed here: the token is for the hub alone.
            .max_redirects(0)
            .user_agent(concat!("qwill/", env!("CARGO_PKG_VERSION")))
            .timeout_connect(Some(options.silence))
            .timeout_recv_response(Some(options.silence))
            .timeout_per_read(Some(options.silence))
            .build()
            .new_agent();
        let dialect = Dialect::of(&options.endpoint);
        Self {
            agent,
            dialect,
            endpoint: options.endpoint.clone(),
            // HF_TOKEN is a secret between its user and Hugging Face
            token: options.token.clone().filter(|_| dialect == Dialect::HuggingFace),
            retry_delay: options.retry_delay,
        }
    }

    /// Asks for bytes from `range.start` on, up to `range.end` if there is an end.
    fn get(&self, url: &str, range: (u64, Option<u64>)) -> Result<Response<Body>, ureq::Error> {
        let mut url = url.to_owned();
        for _ in 0..MAX_REDIRECTS {
            // Compressed bytes could neither be counted nor gone on with.
            let mut request = self.agent.get(&url).header("accept-encoding", "identity");
            if let Some(token) = self.token_for(&url) {
                request = request.header("authorization", format!("Bearer {token}"));
            }
            request = match range {
                (0, None) => request,
                (from, None) => request.header("range", format!("bytes={from}-")),
                (from, Some(end)) => request.header("range", format!("bytes={from}-{}", end - 1)),
            };
            let response = request.call()?;
            let target =
                header(response.headers(), "location").filter(|_| response.status().is_redirection());
            match target {
                None => return Ok(response),
                Some(target) => {
                    url = join(&url, target).ok_or_else(|| ureq::Error::BadUri(target.to_owned()))?;
                }
            }
        }
        Err(ureq::Error::TooManyRedirects)
    }

    /// The token, if an address is of the hub itself.
    fn token_for(&self, url: &str) -> Option<&str> {
        self.token.as_deref().filter(|_| same_origin(&self.endpoint, url))
    }

    fn delay(&self, attempt: u32, wait: Option<Duration>) -> Duration {
        wait.unwrap_or(self.retry_delay * 2u32.saturating_pow(attempt)).min(LONGEST_DELAY)
    }

    /// What the statuses that no retry helps against mean.
    fn refusal(&self, id: &HubId, url: &str, response: &Response<Body>) -> Option<HubError> {
        let status = response.status().as_u16();
        let code = header(response.headers(), "x-error-code").unwrap_or_default();
        match (status, code) {
            (401, "RepoNotFound") if self.token.is_some() => Some(self.no_such(id)),
            (401 | 403, _) => Some(HubError::Unauthorized {
                repo: id.repo.clone(),
                endpoint: self.endpoint.clone(),
                status,
            }),
            (404, _) => Some(self.no_such(id)),
            (400..=499, _) if !is_passing(status) && status != 416 => {
                Some(HubError::Network { url: url.to_owned(), reason: format!("the hub answered {status}") })
            }
            _ => None,
        }
    }

    fn no_such(&self, id: &HubId) -> HubError {
        HubError::NotFound(format!(
            "{} has no model {} with the revision {}; is it spelt right, capitals included?",
            self.endpoint, id.repo, id.revision
        ))
    }

    /// A small answer, and its headers.
    fn get_page(&self, id: &HubId, url: &str) -> Result<(Vec<u8>, HeaderMap), HubError> {
        self.insist(id, url, (0, None), |response| {
            let headers = response.headers().clone();
            match response.body_mut().with_config().limit(LISTING_BYTES).read_to_vec() {
                Ok(body) => Ok((body, headers)),
                Err(error) => Err(error.to_string()),
            }
        })
    }

    /// Some bytes of a file, which is not brought here.
    pub(crate) fn read(
        &self,
        id: &HubId,
        listing: &Listing,
        file: &RepoFile,
        range: Range<u64>,
    ) -> Result<Vec<u8>, HubError> {
        if range.is_empty() {
            return Ok(Vec::new());
        }
        let url = self.url_of(id, listing, file);
        self.insist(id, &url, (range.start, Some(range.end)), |response| {
            // A server that ignores ranges begins at 0: what comes before is passed over.
            let skip = match (response.status().as_u16(), content_range(response.headers())) {
                (200, _) => range.start,
                (_, Some((start, total)))
                    if start == range.start && total.is_none_or(|total| total == file.size) =>
                {
                    0
                }
                (_, other) => {
                    return Err(format!(
                        "the hub sent another part than bytes {range:?} of {}: {other:?}",
                        file.size
                    ));
                }
            };
            let mut body = response.body_mut().as_reader();
            let mut bytes = Vec::new();
            std::io::copy(&mut body.by_ref().take(skip), &mut std::io::sink())
                .and_then(|_| body.take(range.end - range.start).read_to_end(&mut bytes))
                .map_err(|error| error.to_string())?;
            match bytes.len() as u64 == range.end - range.start {
                true => Ok(bytes),
                false => Err(format!("{} of the bytes {range:?} came", bytes.len())),
            }
        })
    }

    /// Asks until `accept` has what it wants of an answer, a few times.
    fn insist<T>(
        &self,
        id: &HubId,
        url: &str,
        range: (u64, Option<u64>),
        mut accept: impl FnMut(&mut Response<Body>) -> Result<T, String>,
    ) -> Result<T, HubError> {
        let mut attempt = 0;
        loop {
            let (reason, wait) = match self.get(url, range) {
                Err(error) => (error.to_string(), None),
                Ok(mut response) => {
                    if let Some(error) = self.refusal(id, url, &response) {
                        return Err(error);
                    }
                    match response.status().as_u16() {
                        200 | 206 => match accept(&mut response) {
                            Ok(wanted) => return Ok(wanted),
                            Err(reason) => (reason, None),
                        },
                        status => (format!("the hub answered {status}"), retry_after(response.headers())),
                    }
                }
            };
            attempt += 1;
            // a machine without network should not be kept waiting
            if attempt == ATTEMPTS - 2 {
                return Err(HubError::Network { url: url.to_owned(), reason });
            }
            tracing::debug!(url, reason, "trying again");
            std::thread::sleep(self.delay(attempt - 1, wait));
        }
    }

    pub(crate) fn list(&self, id: &HubId) -> Result<Listing, HubError> {
        let mut url = self.dialect.listing_url(&self.endpoint, id);
        let mut files = Vec::new();
        let mut commit = None;
        loop {
            let (body, headers) = self.get_page(id, &url)?;
            let page = self.dialect.parse(&body).map_err(|error| HubError::Network {
                url: url.clone(),
                reason: format!("the answer is no list of files ({error})"),
            })?;
            let grew = !page.is_empty();
            files.extend(page);
            commit = commit.or_else(|| header(&headers, "x-repo-commit").map(str::to_owned));
            match next_page(&headers).filter(|_| grew) {
                Some(next) => url = format!("{}{next}", self.endpoint),
                None => break,
            }
        }
        let commit = commit.filter(|commit| is_commit(commit)).or_else(|| self.commit(id, &files));
        let pinned = commit.is_some();
        Ok(Listing { commit: commit.unwrap_or_else(|| name_of(&files)), pinned, files })
    }

    /// The commit that a revision stands for, which the hub says with every file.
    fn commit(&self, id: &HubId, files: &[RepoFile]) -> Option<String> {
        if is_commit(&id.revision) {
            return Some(id.revision.clone());
        }
        let url = self.dialect.file_url(&self.endpoint, id, &id.revision, &files.first()?.path);
        // Large files are redirected to servers that do not know it.
        let mut request = self.agent.head(&url);
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let response = request.call().ok()?;
        header(response.headers(), "x-repo-commit").filter(|commit| is_commit(commit)).map(str::to_owned)
    }

    fn url_of(&self, id: &HubId, listing: &Listing, file: &RepoFile) -> String {
        let revision = if listing.pinned { &listing.commit } else { &id.revision };
        self.dialect.file_url(&self.endpoint, id, revision, &file.path)
    }

    /// Brings one file into the cache. `progress` hears how many of its bytes are there.
    pub(crate) fn fetch(
        &self,
        id: &HubId,
        listing: &Listing,
        file: &RepoFile,
        cache: &RepoCache,
        progress: &mut dyn FnMut(u64) -> Control,
    ) -> Result<(), HubError> {
        let blob = cache.blob(&file.digest);
        let incomplete = cache.incomplete(&file.digest);
        let is_there = || cache.has(file);
        let mut tell = |bytes| match progress(bytes) {
            Control::Continue => Ok(()),
            Control::Stop => Err(HubError::Aborted),
        };
        create_parent(&blob)?;
        // Another process that brings the same file does our work meanwhile.
        let _lock = loop {
            if is_there() {
                return tell(file.size);
            }
            if let Some(lock) = cache.try_lock(&file.digest)? {
                break lock;
            }
            tell(incomplete.metadata().map_or(0, |meta| meta.len()))?;
            std::thread::sleep(Duration::from_millis(50));
        };
        if is_there() {
            return tell(file.size);
        }
        let url = self.url_of(id, listing, file);
        let mut last_try = false;
        loop {
            let found = self.bring(id, &url, file, &incomplete, &mut tell)?;
            let expected = file.digest.to_string();
            if found == expected {
                return std::fs::rename(&incomplete, &blob).map_err(HubError::io(&blob));
            }
            std::fs::remove_file(&incomplete).map_err(HubError::io(&incomplete))?;
            if last_try {
                return Err(HubError::Checksum { file: file.path.clone(), expected, found });
            }
            tracing::warn!(file = file.path, expected, found, "the checksum is wrong; downloading it again");
            last_try = true;
        }
    }

    /// Completes `path`, whatever it has already, and returns the digest of all of it.
    fn bring(
        &self,
        id: &HubId,
        url: &str,
        file: &RepoFile,
        path: &Path,
        tell: &mut dyn FnMut(u64) -> Result<(), HubError>,
    ) -> Result<String, HubError> {
        let mut partial = Partial::open(path, file)?;
        let mut in_vain = 0;
        let mut started_over = false;
        loop {
            tell(partial.len)?;
            if partial.len == file.size {
                return partial.finish();
            }
            let before = partial.len;
            let (reason, wait) = match self.attempt(id, url, &mut partial, tell)? {
                Attempt::Complete => continue,
                Attempt::Again { reason, wait } => (reason, wait),
                Attempt::StartOver { reason } => {
                    if started_over {
                        return Err(HubError::Network { url: url.to_owned(), reason });
                    }
                    started_over = true;
                    partial.clear()?;
                    (reason, None)
                }
            };
            in_vain = if partial.len > before { 0 } else { in_vain + 1 };
            if in_vain == ATTEMPTS {
                let reason = format!("{reason}; {} of {} bytes are kept", partial.len, file.size);
                return Err(HubError::Network { url: url.to_owned(), reason });
            }
            tracing::debug!(url, reason, "going on");
            std::thread::sleep(self.delay(in_vain, wait));
        }
    }

    fn attempt(
        &self,
        id: &HubId,
        url: &str,
        partial: &mut Partial<'_>,
        tell: &mut dyn FnMut(u64) -> Result<(), HubError>,
    ) -> Result<Attempt, HubError> {
        let again = |reason: String| Ok(Attempt::Again { reason, wait: None });
        let response = match self.get(url, (partial.len, None)) {
            Ok(response) => response,
            Err(error) => return again(error.to_string()),
        };
        if let Some(error) = self.refusal(id, url, &response) {
            return Err(error);
        }
        let size = partial.file.size;
        // A server that ignores ranges begins at 0: what is there already is passed over.
        let mut skip = match response.status().as_u16() {
            200 => partial.len,
            206 => match content_range(response.headers()) {
                Some((start, total)) if start == partial.len && total.is_none_or(|total| total == size) => 0,
                other => {
                    let reason =
                        format!("the hub sent another part than asked for ({other:?} of {size} bytes)");
                    return Ok(Attempt::StartOver { reason });
                }
            },
            416 => {
                let reason = format!("the hub has no bytes after {} of {size}", partial.len);
                return Ok(Attempt::StartOver { reason });
            }
            status => {
                let wait = retry_after(response.headers());
                return Ok(Attempt::Again { reason: format!("the hub answered {status}"), wait });
            }
        };
        let mut body = response.into_body().into_reader();
        let mut buffer = vec![0; 256 << 10];
        loop {
            let n = match body.read(&mut buffer) {
                Ok(0) if partial.len == size => return Ok(Attempt::Complete),
                Ok(0) if partial.is_pointer() => {
                    let reason = "the hub sent the Git LFS pointer in place of the file; its store may have lost it, or it is \
                                  a mirror without one: try another mirror";
                    return Err(HubError::Network { url: url.to_owned(), reason: reason.into() });
                }
                Ok(0) => return again(format!("the answer ended after {} of {size} bytes", partial.len)),
                Ok(n) => n,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return again(error.to_string()),
            };
            let passed = skip.min(n as u64);
            skip -= passed;
            let fresh = &buffer[passed as usize..n];
            if fresh.len() as u64 > size - partial.len {
                return Ok(Attempt::StartOver { reason: format!("more came than the {size} bytes listed") });
            }
            partial.append(fresh)?;
            tell(partial.len)?;
        }
    }
}

/// Statuses that may be others the next time.
fn is_passing(status: u16) -> bool {
    matches!(status, 408 | 425 | 429 | 500..=599)
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    header(headers, "retry-after")?.trim().parse().ok().map(Duration::from_secs)
}

/// First byte and length of the whole out of `bytes 5-9/10`.
fn content_range(headers: &HeaderMap) -> Option<(u64, Option<u64>)> {
    let (range, total) = header(headers, "content-range")?.strip_prefix("bytes ")?.split_once('/')?;
    Some((range.split_once('-')?.0.parse().ok()?, total.parse().ok()))
}

/// Path and query of the address in `Link: <…>; rel="next"`. Mirrors may hand on the original's host, so that is
/// left out, which also keeps the token where it belongs.
fn next_page(headers: &HeaderMap) -> Option<String> {
    let link = header(headers, "link")?.split(',').find(|link| link.contains("rel=\"next\""))?;
    let address = link.trim().strip_prefix('<')?.split_once('>')?.0;
    Some(address[address.find("/api/")?..].to_owned())
}

/// A name for a revision whose commit the server does not say, made from what it holds.
fn name_of(files: &[RepoFile]) -> String {
    let mut hasher = Sha1::new();
    for file in files {
        hasher.update(format!("{}\n{}\n", file.path, file.digest));
    }
    hex(&hasher.finalize())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

enum Hasher {
    Sha256(Sha256),
    Git(Sha1),
}

impl Hasher {
    fn new(file: &RepoFile) -> Self {
        match file.digest {
            Digest::Sha256(_) => Self::Sha256(Sha256::new()),
            Digest::Git(_) => Self::Git(Sha1::new_with_prefix(format!("blob {}\0", file.size))),
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hasher) => hasher.update(bytes),
            Self::Git(hasher) => hasher.update(bytes),
        }
    }

    fn finish(self) -> String {
        match self {
            Self::Sha256(hasher) => hex(&hasher.finalize()),
            Self::Git(hasher) => hex(&hasher.finalize()),
        }
    }
}

/// A file that is coming in, and the hash of what is there.
struct Partial<'a> {
    path: &'a Path,
    file: &'a RepoFile,
    disk: File,
    hasher: Hasher,
    len: u64,
}

impl<'a> Partial<'a> {
    /// Takes up what is there already.
    fn open(path: &'a Path, file: &'a RepoFile) -> Result<Self, HubError> {
        let io = HubError::io(path);
        let disk = OpenOptions::new().read(true).append(true).create(true).open(path).map_err(&io)?;
        let mut partial = Self { path, file, disk, hasher: Hasher::new(file), len: 0 };
        let there = partial.disk.metadata().map_err(&io)?.len();
        if there > file.size {
            partial.clear()?;
            return Ok(partial);
        }
        let mut buffer = vec![0; 256 << 10];
        let mut rest = (&partial.disk).take(there);
        loop {
            match rest.read(&mut buffer).map_err(&io)? {
                0 => return Ok(partial),
                n => {
                    partial.hasher.update(&buffer[..n]);
                    partial.len += n as u64;
                }
            }
        }
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), HubError> {
        self.disk.write_all(bytes).map_err(|error| match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
                HubError::DiskFull {
                    file: self.file.path.clone(),
                    size: self.file.size,
                    done: self.len,
                    path: self.path.to_owned(),
                }
            }
            _ => HubError::Io { path: self.path.to_owned(), source: error },
        })?;
        self.hasher.update(bytes);
        self.len += bytes.len() as u64;
        Ok(())
    }

    /// Whether all that is there is a pointer of Git LFS.
    fn is_pointer(&self) -> bool {
        self.len < 1024 && std::fs::read(self.path).is_ok_and(|bytes| crate::lfs::is_pointer(&bytes))
    }

    fn clear(&mut self) -> Result<(), HubError> {
        self.disk.set_len(0).map_err(HubError::io(self.path))?;
        self.hasher = Hasher::new(self.file);
        self.len = 0;
        Ok(())
    }

    /// On the disk for good, before it gets the name of a complete file.
    fn finish(self) -> Result<String, HubError> {
        self.disk.sync_all().map_err(HubError::io(self.path))?;
        Ok(self.hasher.finish())
    }
}
