//! Rows shared out among threads.

use std::ops::Range;

use super::Layout;
use crate::Error;

/// Parts of the streams that hold some rows.
pub(crate) type Words<'w> = Vec<&'w mut [u32]>;

/// Takes the words of the next `n` rows of `k` elements.
pub(crate) fn split_rows<'w>(layout: Layout, k: usize, words: &mut Words<'w>, n: usize) -> Words<'w> {
    let split = |(stream, words): (usize, &mut &'w mut [u32])| {
        let (taken, rest) = std::mem::take(words).split_at_mut(n * layout.stream_row_words(stream, k));
        *words = rest;
        taken
    };
    words.iter_mut().enumerate().map(split).collect()
}

/// Has all rows of streams filled, by as many threads as `n_bytes` of work are worth. `fill` gets the rows that are
/// its share, and their words.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) fn share_rows(
    layout: Layout,
    k: usize,
    n_rows: usize,
    n_bytes: usize,
    streams: &mut [Vec<u32>],
    fill: impl Fn(Range<usize>, Words<'_>) -> Result<(), Error> + Sync,
) -> Result<(), Error> {
    use std::thread;

    /// Bytes that are worth a thread.
    const SHARE: usize = 1 << 20;
    /// More threads than this would only wait for the memory.
    const MOST: usize = 8;

    let mut words: Words<'_> = streams.iter_mut().map(Vec::as_mut_slice).collect();
    let cores = thread::available_parallelism().map_or(1, usize::from).min(MOST);
    let n_threads = cores.min(n_bytes / SHARE).max(1);
    if n_threads == 1 {
        return fill(0..n_rows, words);
    }
    let share = n_rows.div_ceil(n_threads).max(1);
    thread::scope(|scope| {
        let mut threads = Vec::new();
        for first in (0..n_rows).step_by(share) {
            let rows = first..n_rows.min(first + share);
            let words = split_rows(layout, k, &mut words, rows.len());
            let fill = &fill;
            threads.push(scope.spawn(move || fill(rows, words)));
        }
        let join = |thread: thread::ScopedJoinHandle<'_, _>| {
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        threads.into_iter().try_for_each(join)
    })
}

/// Has all rows of streams filled; there is only one thread.
#[cfg(target_arch = "wasm32")]
pub(crate) fn share_rows(
    _layout: Layout,
    _k: usize,
    n_rows: usize,
    _n_bytes: usize,
    streams: &mut [Vec<u32>],
    fill: impl Fn(Range<usize>, Words<'_>) -> Result<(), Error>,
) -> Result<(), Error> {
    fill(0..n_rows, streams.iter_mut().map(Vec::as_mut_slice).collect())
}
