//! Reading files before they are asked for.

#[cfg(not(target_arch = "wasm32"))]
mod reader;

use std::ops::Range;

use crate::Tensor;

/// Has the disk busy while a loader computes: a thread reads tensors in the order in which they lie in the files, up to 256 MiB
/// further than the loader has come or waits for, and throws away what it gets. In browsers, and by default, nothing is read
/// ahead.
///
/// The system keeps what is read, and gives it to whoever asks next at the speed of memory. A loader that waits until its
/// bytes are there leaves the disk to one reader that goes straight on: Linux reads far ahead of such a one, into large
/// pages, for a third of the work that it has with single small ones, as it gets them when it is only told what will be
/// needed (`tests/bench/load.json`). Two readers that overtake each other make it begin with small steps again and again.
/// Nothing but the speed depends on the thread being there.
#[derive(Debug, Default)]
pub struct ReadAhead(#[cfg(not(target_arch = "wasm32"))] std::sync::Arc<reader::Shared>);

impl ReadAhead {
    /// Starts to read some rows of tensors, and what has to be read whole for them, as far as they lie on a disk.
    pub fn start<'c>(rows: impl IntoIterator<Item = (Tensor<'c>, Range<usize>)>) -> Self {
        #[cfg(not(target_arch = "wasm32"))]
        {
            let mut rows: Vec<_> = rows.into_iter().collect();
            rows.sort_by_key(|(tensor, rows)| tensor.file_place(rows));
            let parts = rows.into_iter().flat_map(|(tensor, rows)| tensor.file_parts(rows));
            Self(reader::start(parts.collect()))
        }
        #[cfg(target_arch = "wasm32")]
        {
            drop(rows);
            Self()
        }
    }

    /// Waits until all bytes before `end` have been read, counted over all rows in the order of the files.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn wait_for(&self, end: u64) {
        self.0.wait_for(end);
    }

    /// Ends it, and all waiting for it.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn stop(&self) {
        self.0.update(|progress| progress.loader_is_gone = true);
    }

    /// Says how many bytes the loader has used.
    pub(crate) fn advance(&self, bytes_used: u64) {
        #[cfg(not(target_arch = "wasm32"))]
        self.0.update(|progress| progress.bytes_used = bytes_used);
        #[cfg(target_arch = "wasm32")]
        let _ = bytes_used;
    }
}

#[cfg(not(target_arch = "wasm32"))]
impl Drop for ReadAhead {
    fn drop(&mut self) {
        self.stop();
    }
}
