use half::{bf16, f16};

use super::{F8_GROUP, Layout, planes};
use crate::block::iq4_nl::VALUES;
use crate::block::mxfp4::{DOUBLED_E2M1, half_power_of_two};
use crate::block::{e4m3, q3_k, q4_k};

/// The values of a matrix of `n_rows` rows of `k` elements, row-major without padding, from its
/// streams: the inverse of [`repack`](super::repack), and the definition of what kernels compute
/// with.
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
        let [a, b, c] = [0, 1, 2].map(|s| if s < layout.n_streams() { words(s) } else { &[] });
        out.extend((0..k).map(|i| element(layout, a, b, c, i)));
    }
    out
}

/// Element `i` of a row with the streams `a`, `b` and `c`.
fn element(layout: Layout, a: &[u32], b: &[u32], c: &[u32], i: usize) -> f32 {
    let nibble = |words| planes::get(words, 4, i);
    match layout {
        Layout::F32 => f32::from_bits(a[i]),
        Layout::F16 => half(a, i),
        Layout::BF16 => bf16::from_bits((a[i / 2] >> (i % 2 * 16)) as u16).to_f32(),
        Layout::Q8 => half(b, i / 32) * f32::from(byte(a, i) as i8),
        Layout::Q4 => half(b, i / 32) * f32::from(nibble(a) as i8 - 8),
        Layout::Q4M => half(b, i / 32 * 2) * f32::from(nibble(a)) + half(b, i / 32 * 2 + 1),
        Layout::Q5 => {
            let q = nibble(a) | planes::get(b, 1, i) << 4;
            half(c, i / 32) * f32::from(q as i8 - 16)
        }
        Layout::Q5M => {
            let q = nibble(a) | planes::get(b, 1, i) << 4;
            half(c, i / 32 * 2) * f32::from(q) + half(c, i / 32 * 2 + 1)
        }
        Layout::Q2K => {
            let block = &b[i / 256 * 5..];
            let scale = byte(block, i % 256 / 16);
            let q = planes::get(a, 2, i);
            half(block, 8) * f32::from(scale & 15) * f32::from(q) - half(block, 9) * f32::from(scale >> 4)
        }
        Layout::Q3K => {
            let block = &c[i / 256 * 4..];
            let scale = q3_k::scale(&bytes::<12>(block), i % 256 / 16);
            let q = planes::get(a, 2, i) | planes::get(b, 1, i) << 2;
            half(block, 6) * f32::from(scale) * f32::from(q as i8 - 4)
        }
        Layout::Q4K => super_block(&b[i / 256 * 4..], i, nibble(a)),
        Layout::Q5K => super_block(&c[i / 256 * 4..], i, nibble(a) | planes::get(b, 1, i) << 4),
        Layout::Q6K => {
            let block = &c[i / 256 * 5..];
            let q = nibble(a) | planes::get(b, 2, i) << 4;
            half(block, 8) * f32::from(byte(block, i % 256 / 16) as i8) * f32::from(q as i8 - 32)
        }
        Layout::IQ4NL => half(b, i / 32) * f32::from(VALUES[usize::from(nibble(a))]),
        Layout::IQ4XS => {
            let scale = half(c, i / 256) * f32::from(byte(b, i / 32) as i8);
            scale * f32::from(VALUES[usize::from(nibble(a))])
        }
        Layout::MXFP4 => half_power_of_two(byte(b, i / 32)) * f32::from(DOUBLED_E2M1[usize::from(nibble(a))]),
        Layout::F8 => e4m3(byte(a, i)) * f32::from_bits(b[i / F8_GROUP]),
        Layout::Z4(group) => from_zero(b[i / group.columns()], nibble(a)),
        Layout::Z8(group) => from_zero(b[i / group.columns()], byte(a, i)),
    }
}

/// The values of the 16 bits `i` of a stream of halves.
fn half(words: &[u32], i: usize) -> f32 {
    f16::from_bits((words[i / 2] >> (i % 2 * 16)) as u16).to_f32()
}

/// Byte `i` of a stream.
fn byte(words: &[u32], i: usize) -> u8 {
    (words[i / 4] >> (i % 4 * 8)) as u8
}

/// The first bytes of a stream.
fn bytes<const N: usize>(words: &[u32]) -> [u8; N] {
    std::array::from_fn(|i| byte(words, i))
}

/// Q4_K and Q5_K: the quant `q` of element `i` in a block of scales.
fn super_block(block: &[u32], i: usize, q: u8) -> f32 {
    let (scale, min) = q4_k::scale_min(&bytes::<12>(&block[1..]), i % 256 / 32);
    half(block, 0) * f32::from(scale) * f32::from(q) - half(block, 1) * f32::from(min)
}

/// GPTQ and AWQ: the quant `q` in a group.
fn from_zero(group: u32, q: u8) -> f32 {
    let scale = group as u16;
    let scale =
        if group >> 31 == 1 { bf16::from_bits(scale).to_f32() } else { f16::from_bits(scale).to_f32() };
    scale * f32::from(i16::from(q) - i16::from((group >> 16) as u8))
}
