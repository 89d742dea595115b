//! Block formats: stored bytes to `f32` and back.
//!
//! One file per format. Each has `dequantize`, from the bytes of one block to its values, where the
//! format has a device layout `quants`, its unsigned quants in the order of the elements, and where
//! quantising is offered `quantize`, the other way. The layouts and the order of the floating-point
//! operations are those of ggml's reference (`ggml-quants.c`), so that results agree to the bit.
//!
//! A new format is a new file here, a line in [`dequantize`], and a variant of [`DType`].

mod float;
pub(crate) mod iq4_nl;
pub(crate) mod iq4_xs;
pub(crate) mod mxfp4;
mod nvfp4;
pub(crate) mod q2_k;
pub(crate) mod q3_k;
pub(crate) mod q4_0;
pub(crate) mod q4_1;
pub(crate) mod q4_k;
pub(crate) mod q5_0;
pub(crate) mod q5_1;
pub(crate) mod q5_k;
pub(crate) mod q6_k;
mod q8_0;
mod search;
mod tq1_0;
mod tq2_0;

pub(crate) use float::e4m3;

use crate::{DType, Error};

/// Converts whole blocks to `f32`.
///
/// `bytes` are consecutive blocks as stored, `out` has room for exactly their elements. The result
/// is exact: the value that the format defines, with at most the one rounding per operation of
/// ggml's reference implementation.
///
/// # Errors
/// [`Error::Length`] if `bytes` is not whole blocks or `out` has another number of elements;
/// [`Error::Unsupported`] for integers and for formats whose lattice tables are not built in.
pub fn dequantize(dtype: DType, bytes: &[u8], out: &mut [f32]) -> Result<(), Error> {
    if !bytes.len().is_multiple_of(dtype.block_bytes()) {
        return Err(Error::Length {
            what: "bytes to dequantise",
            found: bytes.len(),
            expected: format!("a multiple of {}", dtype.block_bytes()),
        });
    }
    let n_blocks = bytes.len() / dtype.block_bytes();
    if n_blocks.checked_mul(dtype.block_len()) != Some(out.len()) {
        return Err(Error::Length {
            what: "elements to dequantise into",
            found: out.len(),
            expected: format!("{n_blocks} blocks of {}", dtype.block_len()),
        });
    }
    match dtype {
        DType::F32 => each(bytes, out, float::from_f32),
        DType::F16 => float::from_f16(bytes, out),
        DType::BF16 => each(bytes, out, float::from_bf16),
        DType::F64 => each(bytes, out, float::from_f64),
        DType::F8E4M3 => each(bytes, out, float::from_e4m3),
        DType::Q4_0 => each(bytes, out, q4_0::dequantize),
        DType::Q4_1 => each(bytes, out, q4_1::dequantize),
        DType::Q5_0 => each(bytes, out, q5_0::dequantize),
        DType::Q5_1 => each(bytes, out, q5_1::dequantize),
        DType::Q8_0 => each(bytes, out, q8_0::dequantize),
        DType::Q2_K => each(bytes, out, q2_k::dequantize),
        DType::Q3_K => each(bytes, out, q3_k::dequantize),
        DType::Q4_K => each(bytes, out, q4_k::dequantize),
        DType::Q5_K => each(bytes, out, q5_k::dequantize),
        DType::Q6_K => each(bytes, out, q6_k::dequantize),
        DType::IQ4_NL => each(bytes, out, iq4_nl::dequantize),
        DType::IQ4_XS => each(bytes, out, iq4_xs::dequantize),
        DType::TQ1_0 => each(bytes, out, tq1_0::dequantize),
        DType::TQ2_0 => each(bytes, out, tq2_0::dequantize),
        DType::MXFP4 => each(bytes, out, mxfp4::dequantize),
        DType::NVFP4 => each(bytes, out, nvfp4::dequantize),
        _ => {
            return Err(Error::Unsupported { operation: "dequantising", dtype });
        }
    }
    Ok(())
}

/// Converts `f32` values to whole blocks.
///
/// F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0 and Q4_K have the bytes of ggml's reference quantisers. The others search for
/// scales in a way of their own, whose errors are as small.
///
/// Values that are not finite make their block (and no other) not finite or arbitrary, and so do values beyond what the
/// format's scale can hold; a [`Tensor`](crate::Tensor) that is quantised while it is read refuses both.
///
/// # Errors
/// [`Error::Length`] if the values do not fill whole blocks, [`Error::Unsupported`] for formats
/// that can be read only.
pub fn quantize(dtype: DType, values: &[f32]) -> Result<Vec<u8>, Error> {
    if !values.len().is_multiple_of(dtype.block_len()) {
        return Err(Error::Length {
            what: "values to quantise",
            found: values.len(),
            expected: format!("a multiple of {}", dtype.block_len()),
        });
    }
    let mut out = vec![0; values.len() / dtype.block_len() * dtype.block_bytes()];
    match dtype {
        DType::F32 => each(values, &mut out, float::to_f32),
        DType::F16 => each(values, &mut out, float::to_f16),
        DType::BF16 => each(values, &mut out, float::to_bf16),
        DType::Q4_0 => each(values, &mut out, q4_0::quantize),
        DType::Q4_1 => each(values, &mut out, q4_1::quantize),
        DType::Q5_0 => each(values, &mut out, q5_0::quantize),
        DType::Q5_1 => each(values, &mut out, q5_1::quantize),
        DType::Q8_0 => each(values, &mut out, q8_0::quantize),
        DType::Q2_K => each_in_parallel(values, &mut out, q2_k::quantize),
        DType::Q3_K => each_in_parallel(values, &mut out, q3_k::quantize),
        DType::Q4_K => each_in_parallel(values, &mut out, q4_k::quantize),
        DType::Q5_K => each_in_parallel(values, &mut out, q5_k::quantize),
        DType::Q6_K => each_in_parallel(values, &mut out, q6_k::quantize),
        DType::IQ4_NL => each_in_parallel(values, &mut out, iq4_nl::quantize),
        DType::IQ4_XS => each_in_parallel(values, &mut out, iq4_xs::quantize),
        DType::MXFP4 => each_in_parallel(values, &mut out, mxfp4::quantize),
        _ => {
            return Err(Error::Unsupported { operation: "quantising", dtype });
        }
    }
    Ok(out)
}

/// The first block with a scale that is infinite or not a number; `None` if all scales are finite,
/// and for formats whose scales always are.
pub(crate) fn infinite_scale(dtype: DType, bytes: &[u8]) -> Option<usize> {
    const EXPONENT: u8 = 0x7C;
    let fields: &[usize] = match dtype {
        DType::Q4_0 | DType::Q5_0 | DType::Q8_0 | DType::IQ4_NL | DType::IQ4_XS => &[0],
        DType::Q4_1 | DType::Q5_1 | DType::Q4_K | DType::Q5_K => &[0, 2],
        DType::Q2_K => &[80, 82],
        DType::Q3_K => &[108],
        DType::Q6_K => &[208],
        _ => return None,
    };
    bytes
        .chunks_exact(dtype.block_bytes())
        .position(|block| fields.iter().any(|&at| block[at + 1] & EXPONENT == EXPONENT))
}

/// The first block that became infinite because its values are beyond what the format can hold.
pub(crate) fn overflow(dtype: DType, bytes: &[u8]) -> Option<usize> {
    let exponent = match dtype {
        DType::F16 => 0x7C00u16,
        DType::BF16 => 0x7F80,
        _ => return infinite_scale(dtype, bytes),
    };
    bytes.as_chunks().0.iter().position(|&half| u16::from_le_bytes(half) & exponent == exponent)
}

/// [`each`] on all cores, for conversions that search.
fn each_in_parallel<const N: usize, const M: usize>(
    values: &[f32],
    out: &mut [u8],
    convert: impl Fn(&[f32; N], &mut [u8; M]) + Sync,
) {
    /// Fewer blocks are not worth a thread.
    const LEAST: usize = 64;
    let n_blocks = values.len() / N;
    // In a browser there is one.
    let n_cores = std::thread::available_parallelism().map_or(1, usize::from);
    let n_threads = n_cores.min(n_blocks / LEAST);
    if n_threads < 2 {
        return each(values, out, convert);
    }
    let share = n_blocks.div_ceil(n_threads);
    let convert = &convert;
    std::thread::scope(|scope| {
        for (values, out) in values.chunks(share * N).zip(out.chunks_mut(share * M)) {
            scope.spawn(move || each(values, out, convert));
        }
    });
}

/// Applies `convert` to block after block. The block sizes come from its signature; the callers
/// have checked that they divide both slices into the same number of blocks.
fn each<A, B, const N: usize, const M: usize>(
    from: &[A],
    to: &mut [B],
    convert: impl Fn(&[A; N], &mut [B; M]),
) {
    debug_assert_eq!(from.len() * M, to.len() * N, "block sizes of the format");
    let blocks = from.as_chunks().0.iter().zip(to.as_chunks_mut().0);
    for (a, b) in blocks {
        convert(a, b);
    }
}

/// The quants in 16 bytes of nibbles: the low nibbles are elements 0..16, the high 16..32.
fn nibbles(bytes: &[u8]) -> [u8; 32] {
    let mut quants = [0; 32];
    let (low, high) = quants.split_at_mut(16);
    for ((low, high), &b) in low.iter_mut().zip(high).zip(bytes) {
        (*low, *high) = (b & 15, b >> 4);
    }
    quants
}

/// The inverse of [`nibbles`], into the first 16 bytes.
fn put_nibbles(quants: &[u8; 32], bytes: &mut [u8]) {
    let (low, high) = quants.split_at(16);
    for ((&low, &high), b) in low.iter().zip(high).zip(bytes) {
        *b = low | high << 4;
    }
}

/// The little-endian half-precision field at byte `at` of a block.
fn f16_at(block: &[u8], at: usize) -> f32 {
    half::f16::from_le_bytes([block[at], block[at + 1]]).to_f32()
}

/// Stores `value` as a little-endian half-precision field.
fn put_f16(block: &mut [u8], at: usize, value: f32) {
    block[at..at + 2].copy_from_slice(&half::f16::from_f32(value).to_le_bytes());
}

/// The value of largest magnitude, with its sign; 0 for none.
fn signed_max(values: &[f32]) -> f32 {
    let mut max = 0.0f32;
    for &v in values {
        if v.abs() > max.abs() {
            max = v;
        }
    }
    max
}

/// Smallest and largest value.
fn min_max(values: &[f32]) -> (f32, f32) {
    values.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(min, max), &v| (min.min(v), max.max(v)))
}

/// `1 / d`, and 0 for 0: a block of zeros has scale 0.
fn inverse(d: f32) -> f32 {
    if d == 0.0 { 0.0 } else { 1.0 / d }
}
