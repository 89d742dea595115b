//! Rows on their way from a source to the streams of a layout.

use std::ops::Range;

use crate::layout::{Words, size_streams};
use crate::{Checkpoint, Error, Layout, TensorInfo};

/// Reads rows of a tensor and has `convert` write them as the words of a layout, over what `streams` held before.
/// `convert` gets the bytes of some of the rows, which rows they are, and their words. From a file on the disk they come
/// in pieces, from anywhere else in one.
pub(crate) async fn fill_rows(
    checkpoint: &Checkpoint,
    info: &TensorInfo,
    rows: Range<usize>,
    layout: Layout,
    streams: &mut Vec<Vec<u32>>,
    convert: impl Fn(&[u8], Range<usize>, &mut Words<'_>) -> Result<(), Error>,
) -> Result<(), Error> {
    #[cfg_attr(target_arch = "wasm32", expect(unused_variables, reason = "files are read natively only"))]
    let (source, place) = checkpoint.place(info, rows.clone())?;
    #[cfg(not(target_arch = "wasm32"))]
    if let Some(file) = source.as_file() {
        size_streams(layout, rows.len(), info.row_len(), streams)?;
        return fill_from_file(file, info, rows, place.start, layout, streams, convert);
    }
    let bytes = checkpoint.read_rows(info, rows.clone()).await?;
    size_streams(layout, rows.len(), info.row_len(), streams)?;
    convert(&bytes, rows, &mut streams.iter_mut().map(Vec::as_mut_slice).collect())
}

/// Reads rows that begin at byte `start` of a file on the disk.
#[cfg(not(target_arch = "wasm32"))]
fn fill_from_file(
    file: &crate::FileSource,
    info: &TensorInfo,
    rows: Range<usize>,
    start: u64,
    layout: Layout,
    streams: &mut [Vec<u32>],
    convert: impl Fn(&[u8], Range<usize>, &mut Words<'_>) -> Result<(), Error>,
) -> Result<(), Error> {
    use crate::layout::split_rows;

    /// Bytes that are read at a time: they stay in a core's cache until they are words.
    const PIECE: usize = 256 << 10;

    let (k, row_bytes) = (info.row_len(), info.row_bytes());
    let piece = (PIECE / row_bytes.max(1)).max(1);
    let mut bytes = vec![0; piece.min(rows.len()) * row_bytes];
    let mut words: Words<'_> = streams.iter_mut().map(Vec::as_mut_slice).collect();
    for first in (0..rows.len()).step_by(piece) {
        let n = piece.min(rows.len() - first);
        let bytes = &mut bytes[..n * row_bytes];
        file.read_into(bytes, start + (first * row_bytes) as u64)?;
        let first = rows.start + first;
        convert(bytes, first..first + n, &mut split_rows(layout, k, &mut words, n))?;
    }
    Ok(())
}
