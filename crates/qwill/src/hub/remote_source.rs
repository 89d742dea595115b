//! A file that stays on the hub, and of which parts are read.

use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use qwill_weights::{ByteSource, Error};

use super::HubId;
use super::listing::RepoFile;
use super::remote::{Listing, Remote};

/// Headers are read in small pieces, and a request takes as long as many of them.
const READ_AHEAD: u64 = 256 << 10;

pub(crate) struct RemoteSource {
    remote: Arc<Remote>,
    id: HubId,
    listing: Arc<Listing>,
    file: RepoFile,
    /// The bytes that came last, and where they begin.
    window: Mutex<(u64, Vec<u8>)>,
}

impl RemoteSource {
    pub(crate) fn new(remote: &Arc<Remote>, id: &HubId, listing: &Arc<Listing>, file: &RepoFile) -> Self {
        Self {
            remote: remote.clone(),
            id: id.clone(),
            listing: listing.clone(),
            file: file.clone(),
            window: Mutex::new((0, Vec::new())),
        }
    }

    fn window(&self) -> MutexGuard<'_, (u64, Vec<u8>)> {
        self.window.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes of the window, if it has them all.
    fn held(&self, range: &Range<u64>) -> Option<Vec<u8>> {
        let (first, bytes) = &*self.window();
        let start = usize::try_from(range.start.checked_sub(*first)?).ok()?;
        let end = usize::try_from(range.end.checked_sub(*first)?).ok()?;
        bytes.get(start..end).map(<[u8]>::to_vec)
    }
}

#[async_trait::async_trait(?Send)]
impl ByteSource for RemoteSource {
    fn name(&self) -> &str {
        &self.file.path
    }

    fn len(&self) -> u64 {
        self.file.size
    }

    /// Blocks until the bytes are there.
    async fn read(&self, range: Range<u64>) -> Result<Vec<u8>, Error> {
        let (file, len) = (self.file.path.clone(), self.file.size);
        if range.start > range.end || range.end > len {
            return Err(Error::OutOfRange { file, start: range.start, end: range.end, len });
        }
        if let Some(bytes) = self.held(&range) {
            return Ok(bytes);
        }
        let end = range.end.max(range.start + READ_AHEAD).min(len);
        let bytes = self
            .remote
            .read(&self.id, &self.listing, &self.file, range.start..end)
            .map_err(|error| Error::Source { file, reason: error.to_string() })?;
        let wanted = bytes[..(range.end - range.start) as usize].to_vec();
        *self.window() = (range.start, bytes);
        Ok(wanted)
    }
}
