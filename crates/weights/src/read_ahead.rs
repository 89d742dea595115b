use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::{Error, FileSource};

/// Bytes that are read before they are asked for: as many as the system keeps without a thought, and enough to be busy
/// while a device is opened.
const AHEAD: u64 = 256 << 20;
/// Bytes after which the reader looks whether it is still wanted.
const PIECE: usize = 1 << 20;
/// Bytes that are read in the order in which they lie in the files. Containers sort tensors by name or by type: tensors
/// that are used one after the other lie megabytes apart, and the small ones among them cost as much as large ones.
const BATCH: u64 = 64 << 20;
/// Bytes between two parts that are rather read than left out.
const GAP: u64 = 64 << 10;

/// A part of a file on the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilePart {
    /// Where the file lies.
    pub path: PathBuf,
    /// Its bytes.
    pub range: Range<u64>,
}

/// Has the disk busy while a loader computes: a thread that has the system read parts of files about in the order in which
/// they will be asked for, at most 256 MiB before that.
///
/// The system keeps what it reads, and gives it to whoever asks next at the speed of memory, so that nothing depends on
/// the order being right, nor on the thread being there. Without it, the disk waits while rows become words, and the device
/// while the disk is waited for.
#[derive(Debug)]
pub struct ReadAhead(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    loader: Mutex<Loader>,
    moved: Condvar,
}

/// What the reader knows of the one it reads for.
#[derive(Debug, Default)]
struct Loader {
    bytes_done: u64,
    is_gone: bool,
}

impl ReadAhead {
    /// Starts to read.
    pub fn start(parts: Vec<FilePart>) -> Self {
        let shared = Arc::new(Shared::default());
        let reader = shared.clone();
        let thread = std::thread::Builder::new().name("read ahead".to_owned());
        // Where there are no more threads, the loader reads for itself.
        let _ = thread.spawn(move || reader.follow(&parts, prefetch()));
        Self(shared)
    }

    /// Says how many bytes of the parts the loader has used.
    pub fn advance(&self, bytes_done: u64) {
        self.0.lock().bytes_done = bytes_done;
        self.0.moved.notify_one();
    }
}

impl Drop for ReadAhead {
    fn drop(&mut self) {
        self.0.lock().is_gone = true;
        self.0.moved.notify_one();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Loader> {
        self.loader.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until byte `at` of all parts is near enough; `None` if nobody wants it any more, else the bytes that the
    /// loader has used.
    fn wait(&self, at: u64) -> Option<u64> {
        let too_early =
            |loader: &mut Loader| !loader.is_gone && at >= loader.bytes_done.saturating_add(AHEAD);
        let loader = self.moved.wait_while(self.lock(), too_early).unwrap_or_else(PoisonError::into_inner);
        (!loader.is_gone).then_some(loader.bytes_done)
    }

    /// Has `read` read everything piece by piece, until that fails or nobody wants it any more.
    fn follow(&self, parts: &[FilePart], mut read: impl FnMut(&Path, Range<u64>) -> Result<(), Error>) {
        let (mut rest, mut done) = (parts, 0);
        while !rest.is_empty() {
            let (batch, n_bytes) = take_batch(&mut rest);
            let mut at = done;
            for FilePart { path, range } in &in_file_order(batch) {
                for start in range.clone().step_by(PIECE) {
                    let piece = start..range.end.min(start + PIECE as u64);
                    let Some(used) = self.wait(at) else { return };
                    at += piece.end - piece.start;
                    let is_late = done + n_bytes <= used;
                    // An error is the loader's to find and to name.
                    if !is_late && read(path, piece).is_err() {
                        return;
                    }
                }
            }
            done += n_bytes;
        }
    }
}

/// Takes the parts that come next, and adds up their bytes.
fn take_batch<'p>(parts: &mut &'p [FilePart]) -> (&'p [FilePart], u64) {
    let mut n_bytes = 0;
    let fits = |part: &&FilePart| {
        let is_first = n_bytes == 0;
        n_bytes += part.range.end - part.range.start;
        is_first || n_bytes <= BATCH
    };
    let n = parts.iter().take_while(fits).count();
    let (batch, rest) = parts.split_at(n);
    *parts = rest;
    (batch, batch.iter().map(|part| part.range.end - part.range.start).sum())
}

/// The same parts as a disk likes them: one file after the other, from the start to the end, what is nearly adjacent in
/// one go.
fn in_file_order(batch: &[FilePart]) -> Vec<FilePart> {
    let mut sorted = batch.to_vec();
    sorted.sort_by(|a, b| (&a.path, a.range.start).cmp(&(&b.path, b.range.start)));
    sorted.dedup_by(|next, before| {
        let is_near = next.path == before.path && next.range.start <= before.range.end.saturating_add(GAP);
        if is_near {
            before.range.end = before.range.end.max(next.range.end);
        }
        is_near
    });
    sorted
}

/// Has the system read files one after the other.
fn prefetch() -> impl FnMut(&Path, Range<u64>) -> Result<(), Error> {
    let mut open: Option<FileSource> = None;
    move |path, piece| {
        let file = match open.take().filter(|file| file.path() == path) {
            Some(file) => file,
            None => FileSource::open(path)?,
        };
        open.insert(file).prefetch(piece)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;

    use super::*;

    fn part(path: &str, range: Range<u64>) -> FilePart {
        FilePart { path: path.into(), range }
    }

    /// The pieces that are read, in order, in a thread that ends with the last.
    fn follow(shared: &Arc<Shared>, parts: Vec<FilePart>) -> mpsc::Receiver<FilePart> {
        let (sender, pieces) = mpsc::channel();
        let shared = shared.clone();
        thread::spawn(move || {
            shared.follow(&parts, |path, range| {
                let _ = sender.send(FilePart { path: path.to_owned(), range });
                Ok(())
            });
        });
        pieces
    }

    #[test]
    fn reads_every_batch_in_the_order_of_the_files() {
        let piece = PIECE as u64;
        let parts = vec![
            part("b", 3..5 + 2 * piece),
            part("a", 7..7),
            part("a", 10 * GAP..10 * GAP + 1),
            part("a", 1..2),
            // The next batch: files need not come in any order.
            part("b", 0..BATCH),
            part("a", 3..4),
        ];
        let mut read = follow(&Arc::default(), parts).into_iter();
        let expected = [
            part("a", 1..7),
            part("a", 10 * GAP..10 * GAP + 1),
            part("b", 3..3 + piece),
            part("b", 3 + piece..3 + 2 * piece),
            part("b", 3 + 2 * piece..5 + 2 * piece),
            part("b", 0..piece),
        ];
        assert_eq!(read.by_ref().take(expected.len()).collect::<Vec<_>>(), expected);
        assert_eq!(read.last(), Some(part("a", 3..4)));
    }

    #[test]
    fn a_batch_has_one_part_at_least() {
        let parts =
            [part("a", 0..2 * BATCH), part("a", 0..BATCH / 2), part("b", 0..BATCH / 2), part("b", 0..1)];
        let mut rest = &parts[..];
        assert_eq!(take_batch(&mut rest), (&parts[..1], 2 * BATCH));
        assert_eq!(take_batch(&mut rest), (&parts[1..3], BATCH));
        assert_eq!(take_batch(&mut rest), (&parts[3..], 1));
        assert!(rest.is_empty());
    }

    #[test]
    fn stays_near_the_loader_and_goes_when_it_goes() {
        let reader = ReadAhead(Arc::default());
        let parts = (0..4 * AHEAD / BATCH).map(|i| part("a", i * BATCH..(i + 1) * BATCH));
        let pieces = follow(&reader.0, parts.collect());
        let n = AHEAD as usize / PIECE;
        assert_eq!(pieces.iter().take(n).last(), Some(part("a", AHEAD - PIECE as u64..AHEAD)));
        assert_eq!(pieces.recv_timeout(std::time::Duration::from_millis(50)).ok(), None);

        // The loader was faster: what it has read already is left out.
        reader.advance(2 * AHEAD);
        assert_eq!(pieces.recv().unwrap().range.start, 2 * AHEAD);
        assert_eq!(pieces.iter().take(n - 1).last(), Some(part("a", 3 * AHEAD - PIECE as u64..3 * AHEAD)));

        drop(reader);
        assert_eq!(pieces.iter().next(), None);
    }

    #[test]
    fn a_file_that_cannot_be_read_ends_it() {
        assert!(prefetch()(Path::new("/there/is/no/such.gguf"), 0..1).is_err());
        let mut calls = 0;
        Shared::default().follow(&[part("a", 0..4 * PIECE as u64)], |path, piece| {
            calls += 1;
            prefetch()(path, piece)
        });
        assert_eq!(calls, 1);
    }
}
