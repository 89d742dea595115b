use super::{Layout, planes};
use crate::block::{iq4_xs, q2_k, q3_k, q5_0, q5_1, q5_k};
use crate::{DType, Error};

/// Turns `n_rows` stored rows of `k` elements into the streams of [`Layout::of`] their type, one
/// vector per stream.
///
/// # Errors
/// [`Error::Unsupported`] if the type has no layout, [`Error::Length`] if `k` is not whole blocks
/// or `bytes` is not `n_rows` rows.
pub fn repack(dtype: DType, bytes: &[u8], n_rows: usize, k: usize) -> Result<Vec<Vec<u32>>, Error> {
    let layout =
        Layout::of(dtype).ok_or(Error::Unsupported { operation: "repacking for the device", dtype })?;
    if !k.is_multiple_of(dtype.block_len()) {
        return Err(Error::Length {
            what: "elements of a row to repack",
            found: k,
            expected: format!("a multiple of {}", dtype.block_len()),
        });
    }
    let expected =
        (k / dtype.block_len()).checked_mul(dtype.block_bytes()).and_then(|row| row.checked_mul(n_rows));
    if expected != Some(bytes.len()) {
        return Err(Error::Length {
            what: "bytes to repack",
            found: bytes.len(),
            expected: format!("{n_rows} rows of {k} elements as {dtype}"),
        });
    }
    let mut streams = Vec::new();
    size_streams(layout, n_rows, k, &mut streams)?;
    repack_into(dtype, bytes, n_rows, &mut streams.iter_mut().map(Vec::as_mut_slice).collect::<Vec<_>>());
    Ok(streams)
}

/// As [`repack`], over whatever the words held; the caller has checked all lengths.
pub(crate) fn repack_into(dtype: DType, bytes: &[u8], n_rows: usize, streams: &mut [&mut [u32]]) {
    streams.iter_mut().for_each(|words| words.fill(0));
    let rows = Rows { bytes, n_rows };
    match dtype {
        DType::F32 | DType::F16 | DType::BF16 => rows.each(streams, |row, [words]| copy(row, words)),
        DType::Q8_0 => rows.blocks(streams, |i, block: &[u8; 34], [quants, scales]| {
            copy(&block[2..], &mut quants[8 * i..]);
            put_half(block, scales, i);
        }),
        DType::Q4_0 => rows.blocks(streams, |i, block, [quants, scales]| {
            let block: &[u8; 18] = block;
            planes::put_nibbles(&block[2..], &mut quants[4 * i..4 * i + 4]);
            put_half(block, scales, i);
        }),
        DType::Q4_1 => rows.blocks(streams, |i, block, [quants, scales]| {
            let block: &[u8; 20] = block;
            planes::put_nibbles(&block[4..], &mut quants[4 * i..4 * i + 4]);
            copy(&block[..4], &mut scales[i..]);
        }),
        DType::Q5_0 => rows.blocks(streams, |i, block, [low, high, scales]| {
            let quants = q5_0::quants(block);
            planes::put::<4>(&quants, 0, &mut low[4 * i..]);
            planes::put::<1>(&quants, 4, &mut high[i..]);
            put_half(block, scales, i);
        }),
        DType::Q5_1 => rows.blocks(streams, |i, block, [low, high, scales]| {
            let quants = q5_1::quants(block);
            planes::put::<4>(&quants, 0, &mut low[4 * i..]);
            planes::put::<1>(&quants, 4, &mut high[i..]);
            copy(&block[..4], &mut scales[i..]);
        }),
        DType::Q2_K => rows.blocks(streams, |i, block, [quants, scales]| {
            planes::put::<2>(&q2_k::quants(block), 0, &mut quants[16 * i..]);
            copy(&block[..16], &mut scales[5 * i..]);
            copy(&block[80..], &mut scales[5 * i + 4..]);
        }),
        DType::Q3_K => rows.blocks(streams, |i, block, [low, high, scales]| {
            let quants = q3_k::quants(block);
            planes::put::<2>(&quants, 0, &mut low[16 * i..]);
            planes::put::<1>(&quants, 2, &mut high[8 * i..]);
            copy(&block[96..], &mut scales[4 * i..]);
        }),
        DType::Q4_K => rows.blocks(streams, |i, block, [quants, scales]| {
            let block: &[u8; 144] = block;
            for (bytes, words) in block[16..].chunks(32).zip(quants[32 * i..].chunks_mut(8)) {
                planes::put_nibbles(bytes, words);
            }
            copy(&block[..16], &mut scales[4 * i..]);
        }),
        DType::Q5_K => rows.blocks(streams, |i, block, [low, high, scales]| {
            let quants = q5_k::quants(block);
            planes::put::<4>(&quants, 0, &mut low[32 * i..]);
            planes::put::<1>(&quants, 4, &mut high[8 * i..]);
            copy(&block[..16], &mut scales[4 * i..]);
        }),
        DType::Q6_K => rows.blocks(streams, |i, block, [low, high, scales]| {
            let block: &[u8; 210] = block;
            for half in 0..2 {
                planes::put_nibbles(&block[64 * half..64 * half + 64], &mut low[32 * i + 16 * half..][..16]);
                planes::put_pairs(
                    &block[128 + 32 * half..160 + 32 * half],
                    &mut high[16 * i + 8 * half..][..8],
                );
            }
            copy(&block[192..], &mut scales[5 * i..]);
        }),
        DType::IQ4_NL => rows.blocks(streams, |i, block, [quants, scales]| {
            let block: &[u8; 18] = block;
            planes::put_nibbles(&block[2..], &mut quants[4 * i..4 * i + 4]);
            put_half(block, scales, i);
        }),
        DType::IQ4_XS => rows.blocks(streams, |i, block, [quants, scales, d]| {
            for (bytes, words) in block[8..].chunks(16).zip(quants[32 * i..].chunks_mut(4)) {
                planes::put_nibbles(bytes, words);
            }
            copy(&iq4_xs::scales(block).map(|scale| scale as u8), &mut scales[2 * i..]);
            put_half(block, d, i);
        }),
        DType::MXFP4 => rows.blocks(streams, |i, block, [quants, exponents]| {
            let block: &[u8; 17] = block;
            planes::put_nibbles(&block[1..], &mut quants[4 * i..4 * i + 4]);
            exponents[i / 4] |= u32::from(block[0]) << (i % 4 * 8);
        }),
        // No other type has a layout.
        _ => {}
    }
}

/// Makes streams as long as `n_rows` rows of `k` elements take, whatever their words hold then.
///
/// # Errors
/// [`Error::Length`] if that is more than memory can hold: padding makes short rows much longer
/// than the bytes they come from.
pub(crate) fn size_streams(
    layout: Layout,
    n_rows: usize,
    k: usize,
    streams: &mut Vec<Vec<u32>>,
) -> Result<(), Error> {
    streams.resize_with(layout.n_streams(), Vec::new);
    for (stream, words) in streams.iter_mut().enumerate() {
        let n_words = n_rows
            .checked_mul(layout.stream_row_words(stream, k))
            .filter(|&words| words <= isize::MAX as usize / size_of::<u32>())
            .ok_or_else(|| Error::Length {
                what: "rows to repack",
                found: n_rows,
                expected: format!("what fits into memory at {k} elements a row"),
            })?;
        words.resize(n_words, 0);
    }
    Ok(())
}

/// Stored rows.
#[derive(Clone, Copy)]
struct Rows<'a> {
    bytes: &'a [u8],
    n_rows: usize,
}

impl Rows<'_> {
    /// Calls `convert` with each row and its words in the streams.
    fn each<const S: usize>(self, streams: &mut [&mut [u32]], convert: impl Fn(&[u8], &mut [&mut [u32]; S])) {
        let Ok(streams) = <&mut [&mut [u32]; S]>::try_from(streams) else { return };
        if self.bytes.is_empty() {
            return;
        }
        let mut words = streams.each_mut().map(|stream| {
            let row_words = stream.len() / self.n_rows;
            stream.chunks_exact_mut(row_words)
        });
        for row in self.bytes.chunks_exact(self.bytes.len() / self.n_rows) {
            convert(row, &mut words.each_mut().map(|rows| rows.next().unwrap_or_default()));
        }
    }

    /// Calls `convert` with each block, its place in its row, and the words of that row.
    fn blocks<const BYTES: usize, const S: usize>(
        self,
        streams: &mut [&mut [u32]],
        convert: impl Fn(usize, &[u8; BYTES], &mut [&mut [u32]; S]),
    ) {
        self.each(streams, |row, words| {
            for (i, block) in row.as_chunks().0.iter().enumerate() {
                convert(i, block, words);
            }
        });
    }
}

/// Copies bytes to the start of `words`.
pub(crate) fn copy(bytes: &[u8], words: &mut [u32]) {
    let (whole, rest) = bytes.as_chunks();
    for (word, &bytes) in words.iter_mut().zip(whole) {
        *word = u32::from_le_bytes(bytes);
    }
    for (i, &byte) in rest.iter().enumerate() {
        words[whole.len()] |= u32::from(byte) << (8 * i);
    }
}

/// Copies the half at the start of a block to place `i` of a stream of halves.
fn put_half(block: &[u8], words: &mut [u32], i: usize) {
    let half = u16::from_le_bytes([block[0], block[1]]);
    words[i / 2] |= u32::from(half) << (i % 2 * 16);
}
