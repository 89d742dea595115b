//! How weights lie on the device: rows of `u32` words in up to three streams.

mod planes;
mod repack;
mod unpack;
mod words;

pub(crate) use planes::put as put_plane;
pub use repack::repack;
pub(crate) use repack::{copy, repack_into, size_streams};
pub use unpack::unpack;
pub(crate) use words::{Words, split_rows};

use crate::DType;

/// Elements that a row is padded to on the device.
const ROW_ALIGN: usize = 32;

/// The form in which kernels read a matrix of weights.
///
/// A row of `k` elements is padded with weights of zero to the next multiple of 32. Each layout has
/// up to three streams; a stream holds the rows one after the other, each in the same number of
/// words ([`stream_row_words`](Self::stream_row_words)), so that whole rows can be moved without
/// knowing what they hold, and words of zeros are a row of zeros. Words are little endian: the
/// element with the lower index is in the lower bits.
///
/// | layout | from | stream 0 | stream 1 | stream 2 |
/// | --- | --- | --- | --- | --- |
/// | `F32` | F32 | one element a word | | |
/// | `F16`, `BF16` | F16, BF16 | two elements a word | | |
/// | `Q8` | Q8_0 | four `i8` a word | f16 scale per 32 | |
/// | `Q4` | Q4_0 | 4-bit plane | f16 scale per 32 | |
/// | `Q4M` | Q4_1 | 4-bit plane | f16 scale, f16 minimum per 32 | |
/// | `Q5` | Q5_0 | 4-bit plane | 1-bit plane | f16 scale per 32 |
/// | `Q5M` | Q5_1 | 4-bit plane | 1-bit plane | f16 scale, f16 minimum per 32 |
/// | `Q2K` | Q2_K | 2-bit plane | per 256: 16 bytes of scales, f16 `d`, f16 `dmin` | |
/// | `Q3K` | Q3_K | 2-bit plane | 1-bit plane | per 256: 12 bytes of scales, f16 `d` |
/// | `Q4K` | Q4_K | 4-bit plane | per 256: f16 `d`, f16 `dmin`, 12 bytes of scales | |
/// | `Q5K` | Q5_K | 4-bit plane | 1-bit plane | as `Q4K` |
/// | `Q6K` | Q6_K | 4-bit plane | 2-bit plane | per 256: 16 scales `i8`, f16 `d` |
/// | `IQ4NL` | IQ4_NL | 4-bit plane | f16 scale per 32 | |
/// | `IQ4XS` | IQ4_XS | 4-bit plane | scale `i8` per 32 | f16 `d` per 256 |
/// | `MXFP4` | MXFP4 | 4-bit plane | exponent `u8` per 32 | |
/// | `F8` | FP8 | four e4m3 a word | f32 scale per 128 | |
/// | `Z4` | GPTQ and AWQ, 4 bits | 4-bit plane | per group: 16-bit scale, zero point | |
/// | `Z8` | GPTQ, 8 bits | four `u8` a word | as `Z4` | |
///
/// A *plane* of `n` bits holds so much of every quant, `32 / n` elements a word. The units of 8
/// elements interleave: element `j` of unit `u` of a word starts at bit
/// `8 * (j % 4) + n * (2 * u + j / 4)`, so that shifting and masking a word gives four neighbours in
/// the order of its bytes. Where there are two planes, the second has the upper bits.
///
/// Scales are those of the file, bit for bit, and the products are formed in the order of ggml's
/// reference, so that the values are exactly those of [`dequantize`](crate::dequantize). A compiler
/// may fuse a product with the sum after it and change nothing: a half has 11 significant bits, a
/// sub-scale and a quant have at most 12 together, so that all products are exact in f32 (but those
/// of `F8`, which no sum follows). The words of a group of `Z4` and `Z8` hold the scale in the lower 16 bits, as an f16 or (with bit 31 set) a
/// bf16, and the zero point in the 8 bits above: `scale * (q - zero)`.
///
/// Formats of GGUF take at most 1.9 % more memory than in the file, where a scale fills up a word.
/// `Z4` in groups of 128, which official models have, takes 2.3 % more for the exact form of either
/// 16-bit scale; in groups of 64 and 32 that is 4 and 8 %, and 6 % where the file has one group for
/// all. `F8` takes 3 % more, because its rows must not depend on each other and so repeat the scales
/// of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the table above describes the variants")]
pub enum Layout {
    F32,
    F16,
    BF16,
    Q8,
    Q4,
    Q4M,
    Q5,
    Q5M,
    Q2K,
    Q3K,
    Q4K,
    Q5K,
    Q6K,
    IQ4NL,
    IQ4XS,
    MXFP4,
    F8,
    Z4(Group),
    Z8(Group),
}

/// Columns that share a scale and a zero point in [`Layout::Z4`] and [`Layout::Z8`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Group {
    Of32,
    Of64,
    Of128,
}

impl Group {
    /// Number of columns.
    pub const fn columns(self) -> usize {
        match self {
            Self::Of32 => 32,
            Self::Of64 => 64,
            Self::Of128 => 128,
        }
    }

    /// The largest that divides groups of `size` columns; `None` if not even 32 does.
    pub(crate) fn dividing(size: usize) -> Option<Self> {
        [Self::Of128, Self::Of64, Self::Of32].into_iter().find(|group| size.is_multiple_of(group.columns()))
    }
}

/// Columns that share a scale in [`Layout::F8`].
pub(crate) const F8_GROUP: usize = 128;

impl Layout {
    /// Every layout that kernels read.
    pub const ALL: [Self; 23] = [
        Self::F32,
        Self::F16,
        Self::BF16,
        Self::Q8,
        Self::Q4,
        Self::Q4M,
        Self::Q5,
        Self::Q5M,
        Self::Q2K,
        Self::Q3K,
        Self::Q4K,
        Self::Q5K,
        Self::Q6K,
        Self::IQ4NL,
        Self::IQ4XS,
        Self::MXFP4,
        Self::F8,
        Self::Z4(Group::Of32),
        Self::Z4(Group::Of64),
        Self::Z4(Group::Of128),
        Self::Z8(Group::Of32),
        Self::Z8(Group::Of64),
        Self::Z8(Group::Of128),
    ];

    /// The layout that holds a data type without loss; `None` for types that are not supported on
    /// the device. F8_E4M3 has one only together with its scales, see [`Tensors`](crate::Tensors).
    pub const fn of(dtype: DType) -> Option<Self> {
        match dtype {
            DType::F32 => Some(Self::F32),
            DType::F16 => Some(Self::F16),
            DType::BF16 => Some(Self::BF16),
            DType::Q8_0 => Some(Self::Q8),
            DType::Q4_0 => Some(Self::Q4),
            DType::Q4_1 => Some(Self::Q4M),
            DType::Q5_0 => Some(Self::Q5),
            DType::Q5_1 => Some(Self::Q5M),
            DType::Q2_K => Some(Self::Q2K),
            DType::Q3_K => Some(Self::Q3K),
            DType::Q4_K => Some(Self::Q4K),
            DType::Q5_K => Some(Self::Q5K),
            DType::Q6_K => Some(Self::Q6K),
            DType::IQ4_NL => Some(Self::IQ4NL),
            DType::IQ4_XS => Some(Self::IQ4XS),
            DType::MXFP4 => Some(Self::MXFP4),
            _ => None,
        }
    }

    /// Its name in lower case, which is also that of the shader that reads it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::BF16 => "bf16",
            Self::Q8 => "q8",
            Self::Q4 => "q4",
            Self::Q4M => "q4m",
            Self::Q5 => "q5",
            Self::Q5M => "q5m",
            Self::Q2K => "q2k",
            Self::Q3K => "q3k",
            Self::Q4K => "q4k",
            Self::Q5K => "q5k",
            Self::Q6K => "q6k",
            Self::IQ4NL => "iq4nl",
            Self::IQ4XS => "iq4xs",
            Self::MXFP4 => "mxfp4",
            Self::F8 => "f8",
            Self::Z4(Group::Of32) => "z4_32",
            Self::Z4(Group::Of64) => "z4_64",
            Self::Z4(Group::Of128) => "z4_128",
            Self::Z8(Group::Of32) => "z8_32",
            Self::Z8(Group::Of64) => "z8_64",
            Self::Z8(Group::Of128) => "z8_128",
        }
    }

    /// Rows of this layout have a multiple of so many elements: 1, or the block of its format.
    pub const fn block_len(self) -> usize {
        match self {
            Self::F32 | Self::F16 | Self::BF16 | Self::F8 | Self::Z4(_) | Self::Z8(_) => 1,
            Self::Q8 | Self::Q4 | Self::Q4M | Self::Q5 | Self::Q5M | Self::IQ4NL | Self::MXFP4 => 32,
            Self::Q2K | Self::Q3K | Self::Q4K | Self::Q5K | Self::Q6K | Self::IQ4XS => 256,
        }
    }

    /// Number of streams.
    pub const fn n_streams(self) -> usize {
        match self {
            Self::F32 | Self::F16 | Self::BF16 => 1,
            Self::Q8 | Self::Q4 | Self::Q4M | Self::Q2K | Self::Q4K => 2,
            Self::IQ4NL | Self::MXFP4 | Self::F8 | Self::Z4(_) | Self::Z8(_) => 2,
            Self::Q5 | Self::Q5M | Self::Q3K | Self::Q5K | Self::Q6K | Self::IQ4XS => 3,
        }
    }

    /// Words per row of `k` elements in a stream; 0 for a stream that the layout does not have.
    pub const fn stream_row_words(self, stream: usize, k: usize) -> usize {
        // 32 elements take as many words as an element has bits.
        let blocks = k.div_ceil(ROW_ALIGN);
        let super_blocks = k.div_ceil(256);
        match (self, stream) {
            (Self::F32, 0) => blocks * 32,
            (Self::F16 | Self::BF16, 0) => blocks * 16,
            (Self::Q8 | Self::F8 | Self::Z8(_), 0) => blocks * 8,
            (Self::Q2K | Self::Q3K, 0) => blocks * 2,
            (Self::Q4 | Self::Q4M | Self::Q5 | Self::Q5M | Self::Q4K | Self::Q5K | Self::Q6K, 0) => {
                blocks * 4
            }
            (Self::IQ4NL | Self::IQ4XS | Self::MXFP4 | Self::Z4(_), 0) => blocks * 4,
            (Self::Q5 | Self::Q5M | Self::Q3K | Self::Q5K, 1) => blocks,
            (Self::Q6K, 1) => blocks * 2,
            // scales: halves, bytes, pairs of halves, super-blocks, groups
            (Self::Q8 | Self::Q4 | Self::IQ4NL, 1) | (Self::Q5, 2) => blocks.div_ceil(2),
            (Self::IQ4XS | Self::MXFP4, 1) => blocks.div_ceil(4),
            (Self::IQ4XS, 2) => super_blocks.div_ceil(2),
            (Self::Q4M, 1) | (Self::Q5M, 2) => blocks,
            (Self::Q4K, 1) | (Self::Q3K | Self::Q5K, 2) => super_blocks * 4,
            (Self::Q2K, 1) | (Self::Q6K, 2) => super_blocks * 5,
            (Self::F8, 1) => k.div_ceil(F8_GROUP),
            (Self::Z4(group) | Self::Z8(group), 1) => k.div_ceil(group.columns()),
            _ => 0,
        }
    }
}
