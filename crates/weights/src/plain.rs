//! Rows of tensors that stand alone, as they lie in the file.

use std::ops::Range;

use crate::layout::repack_into;
use crate::rows::fill_rows;
use crate::{Checkpoint, Error, Layout, TensorInfo, block};

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

/// Reads rows as the streams of their layout.
pub(crate) async fn fill_streams(
    checkpoint: &Checkpoint,
    info: &TensorInfo,
    rows: Range<usize>,
    layout: Layout,
    streams: &mut Vec<Vec<u32>>,
) -> Result<(), Error> {
    let file = checkpoint.sources()[info.source].name();
    fill_rows(checkpoint, info, rows, layout, streams, |bytes, rows, words| {
        check(file, info, rows.start, bytes)?;
        repack_into(info.dtype, bytes, rows.len(), words);
        Ok(())
    })
    .await
}

fn check(file: &str, info: &TensorInfo, first_row: usize, bytes: &[u8]) -> Result<(), Error> {
    let Some(i) = block::infinite_scale(info.dtype, bytes) else { return Ok(()) };
    let row = first_row + i / (info.row_len() / info.dtype.block_len()).max(1);
    let reason = format!("the file is damaged: a scale in row {row} is infinite or not a number");
    Err(Error::tensor(file, &info.name, reason))
}
