//! How weights lie on the device: rows of `u32` words in one or two streams.

use half::{bf16, f16};

use crate::{DType, Error};

/// Elements that a row is padded to on the device.
const ROW_ALIGN: usize = 32;

/// The form in which kernels read a matrix of weights.
///
/// A row of `k` elements is padded with zeros to `k_pad`, the next multiple of 32. Each layout has
/// one or two streams; a stream holds the rows one after the other, each in the same number of
/// words ([`stream_row_words`](Self::stream_row_words)). Words are little endian: the element with
/// the lower index is in the lower bits.
///
/// | layout | stream 0 | stream 1 |
/// | --- | --- | --- |
/// | `F32` | one element a word | |
/// | `F16`, `BF16` | two elements a word | |
/// | `Q8` | four `i8` quants a word | f16 scale per 32 elements, two a word |
/// | `Q4` | eight nibbles a word | f16 scale per 32 elements, two a word |
///
/// A word of `Q4` holds elements `8w..8w+8`: in its byte `b` the low nibble is element `8w + b`,
/// the high nibble `8w + 4 + b`, so that masking a word gives four neighbours in order. The value
/// is `scale * (nibble - 8)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the table above describes the variants")]
pub enum Layout {
    F32,
    F16,
    BF16,
    Q8,
    Q4,
}

impl Layout {
    /// The layout that holds a data type without loss; `None` if it must be converted first.
    pub const fn of(dtype: DType) -> Option<Self> {
        match dtype {
            DType::F32 => Some(Self::F32),
            DType::F16 => Some(Self::F16),
            DType::BF16 => Some(Self::BF16),
            DType::Q8_0 => Some(Self::Q8),
            DType::Q4_0 => Some(Self::Q4),
            _ => None,
        }
    }

    /// Number of streams.
    pub const fn n_streams(self) -> usize {
        match self {
            Self::F32 | Self::F16 | Self::BF16 => 1,
            Self::Q8 | Self::Q4 => 2,
        }
    }

    /// Words per row of `k` elements in a stream; 0 for a stream that the layout does not have.
    pub const fn stream_row_words(self, stream: usize, k: usize) -> usize {
        let blocks = k.div_ceil(ROW_ALIGN);
        match (self, stream) {
            (Self::F32, 0) => blocks * 32,
            (Self::F16 | Self::BF16, 0) => blocks * 16,
            (Self::Q8, 0) => blocks * 8,
            (Self::Q4, 0) => blocks * 4,
            (Self::Q8 | Self::Q4, 1) => blocks.div_ceil(2),
            _ => 0,
        }
    }
}

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
    if n_rows == 0 || k == 0 {
        return Ok(vec![Vec::new(); layout.n_streams()]);
    }
    let mut streams = Vec::with_capacity(layout.n_streams());
    for stream in 0..layout.n_streams() {
        // Padding makes short rows much longer than the bytes they come from.
        let words = n_rows
            .checked_mul(layout.stream_row_words(stream, k))
            .filter(|&words| words <= isize::MAX as usize / size_of::<u32>())
            .ok_or_else(|| Error::Length {
                what: "rows to repack",
                found: n_rows,
                expected: format!("what fits into memory at {k} elements a row"),
            })?;
        streams.push(vec![0u32; words]);
    }
    let row_bytes = bytes.len() / n_rows;
    match (layout, &mut streams[..]) {
        (Layout::F32, [words]) => {
            rows(bytes, row_bytes, words, n_rows, |row, words| {
                for (word, &bytes) in words.iter_mut().zip(row.as_chunks().0) {
                    *word = u32::from_le_bytes(bytes);
                }
            });
        }
        (Layout::F16 | Layout::BF16, [words]) => {
            rows(bytes, row_bytes, words, n_rows, |row, words| {
                let (pairs, last) = row.as_chunks::<4>();
                for (word, &bytes) in words.iter_mut().zip(pairs) {
                    *word = u32::from_le_bytes(bytes);
                }
                if let &[low, high] = last {
                    words[pairs.len()] = u32::from_le_bytes([low, high, 0, 0]);
                }
            });
        }
        (Layout::Q8, [quants, scales]) => {
            blocks::<34, 8>(bytes, row_bytes, n_rows, quants, scales, |[_, _, qs @ ..], words| {
                for (word, &bytes) in words.iter_mut().zip(qs.as_chunks().0) {
                    *word = u32::from_le_bytes(bytes);
                }
            });
        }
        (Layout::Q4, [quants, scales]) => {
            blocks::<18, 4>(bytes, row_bytes, n_rows, quants, scales, q4_words);
        }
        // The streams were made from the layout just above.
        _ => {}
    }
    Ok(streams)
}

/// Calls `convert` with each stored row and its words.
fn rows(
    bytes: &[u8],
    row_bytes: usize,
    words: &mut [u32],
    n_rows: usize,
    convert: impl Fn(&[u8], &mut [u32]),
) {
    let row_words = words.len() / n_rows;
    for (row, words) in bytes.chunks_exact(row_bytes).zip(words.chunks_exact_mut(row_words)) {
        convert(row, words);
    }
}

/// Splits blocks of an f16 scale and quants into the two streams; `convert` turns the quants of a
/// block into its words.
fn blocks<const BYTES: usize, const WORDS: usize>(
    bytes: &[u8],
    row_bytes: usize,
    n_rows: usize,
    quants: &mut [u32],
    scales: &mut [u32],
    convert: impl Fn(&[u8; BYTES], &mut [u32; WORDS]),
) {
    let quant_words = quants.len() / n_rows;
    let scale_words = scales.len() / n_rows;
    for ((row, quants), scales) in bytes
        .chunks_exact(row_bytes)
        .zip(quants.chunks_exact_mut(quant_words))
        .zip(scales.chunks_exact_mut(scale_words))
    {
        let row = row.as_chunks::<BYTES>().0;
        for (block, words) in row.iter().zip(quants.as_chunks_mut().0) {
            convert(block, words);
        }
        for (pair, word) in row.chunks(2).zip(scales) {
            let low = u32::from(u16::from_le_bytes([pair[0][0], pair[0][1]]));
            let high = pair.get(1).map_or(0, |b| u32::from(u16::from_le_bytes([b[0], b[1]])));
            *word = low | high << 16;
        }
    }
}

/// The four words of a Q4_0 block from its 16 bytes of nibbles.
fn q4_words([_, _, qs @ ..]: &[u8; 18], words: &mut [u32; 4]) {
    const LOW: u64 = 0x0F0F_0F0F_0F0F_0F0F;
    // Eight elements, a byte each, to eight nibbles: the upper four fill the gaps of the lower.
    let fold = |x: u64| x as u32 | ((x >> 32) as u32) << 4;
    if let [first, second] = *qs.as_chunks().0 {
        let [first, second] = [first, second].map(u64::from_le_bytes);
        // Elements 0..16 are the low nibbles in order, 16..32 the high ones.
        *words = [fold(first & LOW), fold(second & LOW), fold(first >> 4 & LOW), fold(second >> 4 & LOW)];
    }
}

/// The values of a matrix of `n_rows` rows of `k` elements, row-major without padding, from its
/// streams: the inverse of [`repack`], and the definition of what kernels compute with.
///
/// # Panics
/// If a stream is missing or too short for the rows.
pub fn unpack(layout: Layout, streams: &[Vec<u32>], n_rows: usize, k: usize) -> Vec<f32> {
    let mut out = Vec::with_capacity(n_rows * k);
    for row in 0..n_rows {
        let words = |stream: usize| {
            let n = layout.stream_row_words(stream, k);
            &streams[stream][row * n..(row + 1) * n]
        };
        let half = |words: &[u32], i: usize| (words[i / 2] >> (i % 2 * 16)) as u16;
        match layout {
            Layout::F32 => out.extend(words(0)[..k].iter().map(|&w| f32::from_bits(w))),
            Layout::F16 => {
                out.extend((0..k).map(|i| f16::from_bits(half(words(0), i)).to_f32()));
            }
            Layout::BF16 => {
                out.extend((0..k).map(|i| bf16::from_bits(half(words(0), i)).to_f32()));
            }
            Layout::Q8 => {
                let (quants, scales) = (words(0), words(1));
                out.extend((0..k).map(|i| {
                    let q = (quants[i / 4] >> (i % 4 * 8)) as i8;
                    f16::from_bits(half(scales, i / 32)).to_f32() * f32::from(q)
                }));
            }
            Layout::Q4 => {
                let (quants, scales) = (words(0), words(1));
                out.extend((0..k).map(|i| {
                    let nibble = (quants[i / 8] >> (i % 4 * 8 + i % 8 / 4 * 4)) as u8 & 15;
                    f16::from_bits(half(scales, i / 32)).to_f32() * f32::from(nibble as i8 - 8)
                }));
            }
        }
    }
    out
}
