//! Rows of tensors that stand alone, as they lie in the file.

use std::ops::Range;

use crate::{Checkpoint, Error, TensorInfo, block, repack};

/// Reads rows, and refuses scales that devices cannot hold.
pub(crate) async fn read(
    checkpoint: &Checkpoint,
    info: &TensorInfo,
    rows: Range<usize>,
) -> Result<Vec<u8>, Error> {
    let bytes = checkpoint.read_rows(info, rows.clone()).await?;
    check(checkpoint.sources()[info.source].name(), info, rows.start, &bytes)?;
    Ok(bytes)
}

fn check(file: &str, info: &TensorInfo, first_row: usize, bytes: &[u8]) -> Result<(), Error> {
    let Some(i) = block::infinite_scale(info.dtype, bytes) else { return Ok(()) };
    let row = first_row + i / (info.row_len() / info.dtype.block_len()).max(1);
    let reason = format!("the file is damaged: a scale in row {row} is infinite or not a number");
    Err(Error::tensor(file, &info.name, reason))
}

/// Reads rows as the streams of their layout.
pub(crate) async fn streams(
    checkpoint: &Checkpoint,
    info: &TensorInfo,
    rows: Range<usize>,
) -> Result<Vec<Vec<u32>>, Error> {
    #[cfg(not(target_arch = "wasm32"))]
    {
        let (source, place) = checkpoint.place(info, rows.clone())?;
        if let Some(file) = source.as_file() {
            return streams_of_file(file, info, rows, place.start);
        }
    }
    let bytes = read(checkpoint, info, rows.clone()).await?;
    repack(info.dtype, &bytes, rows.len(), info.row_len())
}

/// Reads rows that begin at byte `start` of a file on the disk, by several threads.
#[cfg(not(target_arch = "wasm32"))]
fn streams_of_file(
    file: &crate::FileSource,
    info: &TensorInfo,
    rows: Range<usize>,
    start: u64,
) -> Result<Vec<Vec<u32>>, Error> {
    use crate::layout::{empty_streams, repack_into, share_rows, split_rows};
    use crate::{ByteSource, Layout};

    /// Bytes that a thread reads at a time: they stay in its cache until they are words.
    const PIECE: usize = 256 << 10;

    let (k, row_bytes, n_rows) = (info.row_len(), info.row_bytes(), rows.len());
    let Some(layout) = Layout::of(info.dtype) else {
        return Err(Error::Unsupported { operation: "repacking for the device", dtype: info.dtype });
    };
    let piece = (PIECE / row_bytes.max(1)).max(1);
    let mut streams = empty_streams(layout, n_rows, k)?;
    share_rows(layout, k, n_rows, n_rows * row_bytes, &mut streams, |share, mut words| {
        let mut bytes = vec![0; piece.min(share.len()) * row_bytes];
        for first in share.clone().step_by(piece) {
            let n = piece.min(share.end - first);
            let bytes = &mut bytes[..n * row_bytes];
            file.read_into(bytes, start + (first * row_bytes) as u64)?;
            check(file.name(), info, rows.start + first, bytes)?;
            repack_into(info.dtype, bytes, n, &mut split_rows(layout, k, &mut words, n));
        }
        Ok(())
    })?;
    Ok(streams)
}
