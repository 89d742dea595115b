//! Pieces that are filled by several threads.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;

use pollster::block_on;

use super::order::{After, in_file_order};
use super::{Filled, Piece, SharedTensor};
use crate::{Error, ReadAhead};

/// More threads than this would only wait for the memory.
const MOST_THREADS: usize = 8;
/// Pieces that wait to be placed while every thread fills another.
const WAITING: usize = 2;
/// Layers of up to so many bytes are opened while the one before is filled; larger ones would take too much memory.
const OPEN_AHEAD: u64 = 32 << 20;

/// What a thread does next.
enum Work<'c> {
    Open(Arc<SharedTensor<'c>>),
    Fill(Piece<'c>),
}

/// Fills pieces, in the order in which they are read ahead, and has `place` take them away, in this thread.
pub(super) fn fill<E: From<Error>>(
    pieces: Vec<Piece<'_>>,
    read_ahead: &ReadAhead,
    mut place: impl FnMut(&mut Filled) -> Result<(), E>,
) -> Result<(), E> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let n_threads = cores.min(MOST_THREADS).min(pieces.len());
    let work = Mutex::new(opening_ahead(in_file_order(pieces)).into_iter());
    // Memory for streams goes round: to a thread that fills it, to this one, and back.
    let (empty, to_fill) = mpsc::channel();
    let (full, to_place) = mpsc::channel();
    let to_fill = Mutex::new(to_fill);
    for _ in 0..n_threads + WAITING {
        let _ = empty.send(Filled::default());
    }
    thread::scope(|scope| {
        for i in 0..n_threads {
            let (work, to_fill, full) = (&work, &to_fill, full.clone());
            let thread = thread::Builder::new().name("load".to_owned());
            if let Err(source) =
                thread.spawn_scoped(scope, move || fill_some(work, read_ahead, to_fill, &full))
                && i == 0
            {
                let reason = format!("no thread can be started to read it: {source}");
                return Err(Error::Source { file: "the model".to_owned(), reason }.into());
            }
        }
        // They end when there is no more to fill, or when this end of a channel is gone.
        drop(full);
        let empty = empty;
        let result = to_place.into_iter().try_for_each(|filled| {
            let mut filled = filled?;
            place(&mut filled)?;
            let _ = empty.send(filled);
            Ok(())
        });
        // If that is an error, nobody shall wait for the disk to come to what will not be used.
        read_ahead.stop();
        result
    })
}

/// Fills pieces until there are no more, or nobody takes them.
fn fill_some<'c>(
    work: &Mutex<impl Iterator<Item = After<Work<'c>>>>,
    read_ahead: &ReadAhead,
    to_fill: &Mutex<mpsc::Receiver<Filled>>,
    full: &mpsc::Sender<Result<Filled, Error>>,
) {
    loop {
        // Taken before the work, so that what comes first is also filled first.
        let Ok(mut filled) = lock(to_fill).recv() else { return };
        let piece = loop {
            let Some(After { end, then }) = lock(work).next() else { return };
            read_ahead.wait_for(end);
            match then {
                // Why it cannot be opened is for its pieces to find out.
                Work::Open(tensor) => drop(block_on(tensor.open())),
                Work::Fill(piece) => break piece,
            }
        };
        let result = block_on(piece.fill(&mut filled));
        drop(piece);
        if full.send(result.map(|()| filled)).is_err() {
            return;
        }
    }
}

/// The pieces in order, and before those of a layer that is read whole the opening of the next such layer: the threads
/// would wait for each other while one of them opens it.
fn opening_ahead(pieces: Vec<After<Piece<'_>>>) -> Vec<After<Work<'_>>> {
    let mut work = Vec::with_capacity(pieces.len());
    // Where the pieces of the tensors before begin.
    let mut before = 0;
    for After { end, then: piece } in pieces {
        if piece.rows.start == 0 {
            let tensors = piece.parts.iter().map(|part| &part.tensor);
            let openings: Vec<_> = tensors
                .filter(|shared| shared.tensor.is_read_whole() && shared.tensor.byte_len <= OPEN_AHEAD)
                .map(|shared| After { end, then: Work::Open(shared.clone()) })
                .collect();
            let first = work.len() + openings.len();
            work.splice(before..before, openings);
            before = first;
        }
        work.push(After { end, then: Work::Fill(piece) });
    }
    work
}

/// Nothing is left half done by a thread that panics.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
