//! How keys and values are cached.

/// Tokens in a page of the key/value cache.
pub const PAGE: usize = 32;
/// Elements of a head's vector that share a scale in an 8-bit cache.
pub(crate) const SCALED: usize = 32;

/// Number format of cached keys and values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KvType {
    /// Exact.
    F32,
    /// Half the memory and traffic.
    F16,
    /// A quarter, and a scale for each 32 elements of a head's vector: the largest magnitude of them becomes 127.
    Q8,
}

impl KvType {
    /// `f32`, `f16` or `q8`.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Q8 => "q8",
        }
    }

    /// Units of a head's cached vector: one for 4 elements, and with `Q8` one for each scale.
    pub fn units(self, head_dim: usize) -> usize {
        match self {
            Self::F32 | Self::F16 => head_dim / 4,
            Self::Q8 => head_dim / 4 + head_dim.div_ceil(SCALED),
        }
    }

    /// Bytes of a head's cached vector, of a key or of a value.
    pub fn vector_bytes(self, head_dim: usize) -> usize {
        let unit_bytes = match self {
            Self::F32 => 16,
            Self::F16 => 8,
            Self::Q8 => 4,
        };
        unit_bytes * self.units(head_dim)
    }
}
