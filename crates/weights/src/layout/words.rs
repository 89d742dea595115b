//! Parts of the streams of a layout.

use super::Layout;

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
