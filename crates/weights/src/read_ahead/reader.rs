//! The thread that reads, and what it shares with the loader.

use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::{Error, FilePart, FileSource};

/// Bytes that are read before they are asked for: as many as the system keeps without a thought, and enough to be busy
/// while a device is opened.
const AHEAD: u64 = 256 << 20;
/// Bytes that are read at a time: few enough to stay in a core's cache. With 8 MiB a file takes a tenth longer.
const PIECE: usize = 2 << 20;
/// Bytes whose parts are sorted by where they lie: the scales of several layers lie beside each other, far from the weights.
const BATCH: u64 = 64 << 20;
/// Bytes between two parts that are rather read than left out.
const GAP: u64 = 64 << 10;

/// Starts a thread that reads parts of files.
pub(super) fn start(parts: Vec<FilePart>) -> Arc<Shared> {
    let shared = Arc::new(Shared::default());
    let reader = Reader::new(&shared);
    let thread = std::thread::Builder::new().name("read ahead".to_owned());
    // Where there are no more threads, the loader reads for itself.
    let _ = thread.spawn(move || reader.follow(&parts, prefetch()));
    shared
}

#[derive(Debug, Default)]
pub(super) struct Shared {
    progress: Mutex<Progress>,
    moved: Condvar,
}

/// What the reader and the loader know of each other. Bytes are those of the parts, in their order.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// What comes before was read, all of it.
    bytes_read: u64,
    /// What the loader has used.
    pub(super) bytes_used: u64,
    /// What the loader waits for.
    bytes_wanted: u64,
    reader_is_there: bool,
    pub(super) loader_is_gone: bool,
}

impl Shared {
    /// Waits until all bytes before `end` have been read, or there is no reader, or nobody wants them any more.
    pub(super) fn wait_for(&self, end: u64) {
        self.update(|progress| progress.bytes_wanted = progress.bytes_wanted.max(end));
        let is_early = |progress: &mut Progress| {
            progress.bytes_read < end && progress.reader_is_there && !progress.loader_is_gone
        };
        drop(self.wait_while(is_early));
    }

    pub(super) fn update(&self, change: impl FnOnce(&mut Progress)) {
        change(&mut self.progress.lock().unwrap_or_else(PoisonError::into_inner));
        self.moved.notify_all();
    }

    fn wait_while(&self, condition: impl FnMut(&mut Progress) -> bool) -> MutexGuard<'_, Progress> {
        let progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        self.moved.wait_while(progress, condition).unwrap_or_else(PoisonError::into_inner)
    }
}

/// The reader's end. Who waits for it goes on when it is gone, for whatever reason.
struct Reader(Arc<Shared>);

impl Reader {
    fn new(shared: &Arc<Shared>) -> Self {
        shared.update(|progress| progress.reader_is_there = true);
        Self(shared.clone())
    }

    /// Waits until byte `at` of all parts is near enough; `None` if nobody wants it any more, else the bytes that the
    /// loader has used.
    fn wait(&self, at: u64) -> Option<u64> {
        let too_early = |progress: &mut Progress| {
            let is_waited_for = progress.bytes_read < progress.bytes_wanted;
            !progress.loader_is_gone && !is_waited_for && at >= progress.bytes_used.saturating_add(AHEAD)
        };
        let progress = self.0.wait_while(too_early);
        (!progress.loader_is_gone).then_some(progress.bytes_used)
    }

    /// Has `read` read everything piece by piece, until that fails or nobody wants it any more.
    fn follow(&self, parts: &[FilePart], mut read: impl FnMut(&Path, Range<u64>) -> Result<(), Error>) {
        let (mut rest, mut done) = (parts, 0);
        while !rest.is_empty() {
            let (batch, n_bytes) = take_batch(&mut rest);
            let (mut at, mut bytes_read, mut unread) = (done, done, batch.iter().peekable());
            for FilePart { path, range } in &merge_adjacent(batch) {
                for start in range.clone().step_by(PIECE) {
                    let piece = start..range.end.min(start + PIECE as u64);
                    let Some(used) = self.wait(at) else { return };
                    at += piece.end - piece.start;
                    let is_late = done + n_bytes <= used;
                    let place = (path, piece.end);
                    // An error is the loader's to find and to name.
                    if !is_late && read(path, piece).is_err() {
                        return;
                    }
                    while let Some(part) = unread.next_if(|part| (&part.path, part.range.end) <= place) {
                        bytes_read += part.range.end - part.range.start;
                    }
                    self.0.update(|progress| progress.bytes_read = bytes_read);
                }
            }
            done += n_bytes;
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.0.update(|progress| progress.reader_is_there = false);
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
fn merge_adjacent(batch: &[FilePart]) -> Vec<FilePart> {
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

/// Reads files one after the other, and forgets what it got.
fn prefetch() -> impl FnMut(&Path, Range<u64>) -> Result<(), Error> {
    let mut open: Option<FileSource> = None;
    let mut bytes = vec![0; PIECE];
    move |path, piece| {
        let file = match open.take().filter(|file| file.path() == path) {
            Some(file) => file,
            None => FileSource::open(path)?,
        };
        open.insert(file).read_into(&mut bytes[..(piece.end - piece.start) as usize], piece.start)
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

    /// The pieces that are read, in order, by a thread that ends with the last.
    fn follow(shared: &Arc<Shared>, parts: Vec<FilePart>) -> mpsc::Receiver<FilePart> {
        let (sender, pieces) = mpsc::channel();
        let reader = Reader::new(shared);
        thread::spawn(move || {
            reader.follow(&parts, |path, range| {
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
        let shared = Arc::new(Shared::default());
        let parts = (0..4 * AHEAD / BATCH).map(|i| part("a", i * BATCH..(i + 1) * BATCH));
        let pieces = follow(&shared, parts.collect());
        let n = AHEAD as usize / PIECE;
        assert_eq!(pieces.iter().take(n).last(), Some(part("a", AHEAD - PIECE as u64..AHEAD)));
        assert_eq!(pieces.recv_timeout(std::time::Duration::from_millis(50)).ok(), None);

        // The loader was faster: what it has read already is left out.
        shared.update(|progress| progress.bytes_used = 2 * AHEAD);
        assert_eq!(pieces.recv().unwrap().range.start, 2 * AHEAD);
        assert_eq!(pieces.iter().take(n - 1).last(), Some(part("a", 3 * AHEAD - PIECE as u64..3 * AHEAD)));

        shared.update(|progress| progress.loader_is_gone = true);
        assert_eq!(pieces.iter().next(), None);
    }

    #[test]
    fn a_file_that_cannot_be_read_ends_it() {
        assert!(prefetch()(Path::new("/there/is/no/such.gguf"), 0..1).is_err());
        let mut calls = 0;
        Reader::new(&Arc::default()).follow(&[part("a", 0..4 * PIECE as u64)], |path, piece| {
            calls += 1;
            prefetch()(path, piece)
        });
        assert_eq!(calls, 1);
    }

    #[test]
    fn whoever_waits_goes_on_when_it_is_read() {
        let shared = Arc::new(Shared::default());
        shared.wait_for(1);

        // Two batches: the second is further away than the reader goes by itself.
        let parts = [part("b", 0..2 * AHEAD), part("a", 0..1), part("a", 1..3)];
        let (may_read, permission) = mpsc::channel();
        let reader = Reader::new(&shared);
        thread::spawn(move || {
            reader.follow(&parts, |_, _| {
                permission.recv().unwrap();
                Ok(())
            });
        });
        let (goes_on, went_on) = mpsc::channel();
        let waiting = shared.clone();
        thread::spawn(move || {
            for end in [2 * AHEAD, 2 * AHEAD + 3, u64::MAX] {
                waiting.wait_for(end);
                goes_on.send(end).unwrap();
            }
        });
        for _ in 0..2 * AHEAD / PIECE as u64 {
            assert!(went_on.try_recv().is_err(), "nothing is there yet");
            may_read.send(()).unwrap();
        }
        assert_eq!(went_on.recv(), Ok(2 * AHEAD));
        may_read.send(()).unwrap();
        assert_eq!(went_on.recv(), Ok(2 * AHEAD + 3));
        // Nobody will read that.
        assert_eq!(went_on.recv(), Ok(u64::MAX));
    }

    #[test]
    fn nobody_waits_for_what_is_not_wanted_any_more() {
        let shared = Arc::new(Shared::default());
        let (reads, is_reading) = mpsc::channel();
        let (_still_reading, permission) = mpsc::channel::<()>();
        let reader = Reader::new(&shared);
        thread::spawn(move || {
            reader.follow(&[part("a", 0..9)], |_, _| {
                reads.send(()).unwrap();
                let _ = permission.recv();
                Ok(())
            });
        });
        is_reading.recv().unwrap();
        let waiting = shared.clone();
        let waits = thread::spawn(move || waiting.wait_for(9));
        shared.update(|progress| progress.loader_is_gone = true);
        waits.join().unwrap();
    }

    #[test]
    fn nobody_waits_for_a_reader_that_failed() {
        let shared = Arc::new(Shared::default());
        let reader = Reader::new(&shared);
        let parts = [part("/there/is/no/such.gguf", 0..9)];
        let reading = thread::spawn(move || reader.follow(&parts, prefetch()));
        shared.wait_for(9);
        reading.join().unwrap();
    }
}
