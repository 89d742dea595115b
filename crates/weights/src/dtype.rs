use std::fmt;

macro_rules! dtypes {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $len:literal elements in $bytes:literal bytes $(, gguf $id:literal)? $(, safetensors $st:literal)?;)*) => {
        /// How the elements of a tensor are stored: plain numbers, or blocks that share a scale.
        ///
        /// Names and block sizes are those of ggml (GGUF) and of safetensors. Every type listed
        /// can be found in a file and measured; which of them have values that can be computed
        /// with is the business of [`dequantize`](crate::dequantize).
        #[expect(non_camel_case_types, reason = "the names as ggml and safetensors spell them")]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum DType {
            $($(#[$doc])* $variant,)*
        }

        impl DType {
            /// Every data type.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Elements in one block; 1 for plain numbers.
            pub const fn block_len(self) -> usize {
                match self { $(Self::$variant => $len,)* }
            }

            /// Bytes of one block.
            pub const fn block_bytes(self) -> usize {
                match self { $(Self::$variant => $bytes,)* }
            }

            /// The name that GGUF tools print, or safetensors' where GGUF has none.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The type of that name, whatever its case.
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|dtype| dtype.name().eq_ignore_ascii_case(name))
            }

            /// The number that stands for this type in a GGUF file.
            pub const fn gguf_id(self) -> Option<u32> {
                match self { $($(Self::$variant => Some($id),)?)* _ => None }
            }

            /// The type that a number in a GGUF file stands for.
            pub const fn from_gguf_id(id: u32) -> Option<Self> {
                match id { $($($id => Some(Self::$variant),)?)* _ => None }
            }

            /// The type that a `dtype` in a safetensors header stands for.
            pub fn from_safetensors(name: &str) -> Option<Self> {
                match name { $($($st => Some(Self::$variant),)?)* _ => None }
            }
        }
    };
}

dtypes! {
    /// IEEE single precision.
    F32 = "F32", 1 elements in 4 bytes, gguf 0, safetensors "F32";
    /// IEEE half precision.
    F16 = "F16", 1 elements in 2 bytes, gguf 1, safetensors "F16";
    /// The upper half of an IEEE single.
    BF16 = "BF16", 1 elements in 2 bytes, gguf 30, safetensors "BF16";
    /// IEEE double precision.
    F64 = "F64", 1 elements in 8 bytes, gguf 28, safetensors "F64";
    /// 4 bits, f16 scale per 32.
    Q4_0 = "Q4_0", 32 elements in 18 bytes, gguf 2;
    /// 4 bits, f16 scale and minimum per 32.
    Q4_1 = "Q4_1", 32 elements in 20 bytes, gguf 3;
    /// 5 bits, f16 scale per 32.
    Q5_0 = "Q5_0", 32 elements in 22 bytes, gguf 6;
    /// 5 bits, f16 scale and minimum per 32.
    Q5_1 = "Q5_1", 32 elements in 24 bytes, gguf 7;
    /// 8 bits, f16 scale per 32.
    Q8_0 = "Q8_0", 32 elements in 34 bytes, gguf 8;
    /// 8 bits with block sums; ggml keeps activations in it, never weights.
    Q8_1 = "Q8_1", 32 elements in 36 bytes, gguf 9;
    /// 2 bits, 4-bit scale and minimum per 16.
    Q2_K = "Q2_K", 256 elements in 84 bytes, gguf 10;
    /// 3 bits, 6-bit scale per 16.
    Q3_K = "Q3_K", 256 elements in 110 bytes, gguf 11;
    /// 4 bits, 6-bit scale and minimum per 32.
    Q4_K = "Q4_K", 256 elements in 144 bytes, gguf 12;
    /// 5 bits, 6-bit scale and minimum per 32.
    Q5_K = "Q5_K", 256 elements in 176 bytes, gguf 13;
    /// 6 bits, 8-bit scale per 16.
    Q6_K = "Q6_K", 256 elements in 210 bytes, gguf 14;
    /// 8 bits with block sums; ggml keeps activations in it, never weights.
    Q8_K = "Q8_K", 256 elements in 292 bytes, gguf 15;
    /// 2.06 bits, values from a lattice.
    IQ2_XXS = "IQ2_XXS", 256 elements in 66 bytes, gguf 16;
    /// 2.31 bits, values from a lattice.
    IQ2_XS = "IQ2_XS", 256 elements in 74 bytes, gguf 17;
    /// 3.06 bits, values from a lattice.
    IQ3_XXS = "IQ3_XXS", 256 elements in 98 bytes, gguf 18;
    /// 1.56 bits, values from a lattice.
    IQ1_S = "IQ1_S", 256 elements in 50 bytes, gguf 19;
    /// 4 bits into a table of 16 values, f16 scale per 32.
    IQ4_NL = "IQ4_NL", 32 elements in 18 bytes, gguf 20;
    /// 3.44 bits, values from a lattice.
    IQ3_S = "IQ3_S", 256 elements in 110 bytes, gguf 21;
    /// 2.56 bits, values from a lattice.
    IQ2_S = "IQ2_S", 256 elements in 82 bytes, gguf 22;
    /// 4 bits into a table of 16 values, 6-bit scale per 32.
    IQ4_XS = "IQ4_XS", 256 elements in 136 bytes, gguf 23;
    /// 1.75 bits, values from a lattice.
    IQ1_M = "IQ1_M", 256 elements in 56 bytes, gguf 29;
    /// Ternary, 5 digits in a byte, f16 scale per 256.
    TQ1_0 = "TQ1_0", 256 elements in 54 bytes, gguf 34;
    /// Ternary, 2 bits, f16 scale per 256.
    TQ2_0 = "TQ2_0", 256 elements in 66 bytes, gguf 35;
    /// 4-bit floats (e2m1), power-of-two scale per 32.
    MXFP4 = "MXFP4", 32 elements in 17 bytes, gguf 39;
    /// 4-bit floats (e2m1), e4m3 scale per 16.
    NVFP4 = "NVFP4", 64 elements in 36 bytes, gguf 40;
    /// 1 bit, f16 scale per 128.
    Q1_0 = "Q1_0", 128 elements in 18 bytes, gguf 41;
    /// 8-bit float with 4 exponent bits, no infinities (e4m3fn).
    F8E4M3 = "F8_E4M3", 1 elements in 1 bytes, safetensors "F8_E4M3";
    /// 8-bit float with 5 exponent bits.
    F8E5M2 = "F8_E5M2", 1 elements in 1 bytes, safetensors "F8_E5M2";
    /// 8-bit power of two.
    F8E8M0 = "F8_E8M0", 1 elements in 1 bytes, safetensors "F8_E8M0";
    /// Truth values, one byte each.
    Bool = "BOOL", 1 elements in 1 bytes, safetensors "BOOL";
    /// Signed 8-bit integers.
    I8 = "I8", 1 elements in 1 bytes, gguf 24, safetensors "I8";
    /// Unsigned 8-bit integers.
    U8 = "U8", 1 elements in 1 bytes, safetensors "U8";
    /// Signed 16-bit integers.
    I16 = "I16", 1 elements in 2 bytes, gguf 25, safetensors "I16";
    /// Unsigned 16-bit integers.
    U16 = "U16", 1 elements in 2 bytes, safetensors "U16";
    /// Signed 32-bit integers.
    I32 = "I32", 1 elements in 4 bytes, gguf 26, safetensors "I32";
    /// Unsigned 32-bit integers.
    U32 = "U32", 1 elements in 4 bytes, safetensors "U32";
    /// Signed 64-bit integers.
    I64 = "I64", 1 elements in 8 bytes, gguf 27, safetensors "I64";
    /// Unsigned 64-bit integers.
    U64 = "U64", 1 elements in 8 bytes, safetensors "U64";
}

impl DType {
    /// This format, or the one that llama.cpp takes instead for rows of `row_len` elements when they are not whole blocks
    /// of it: Q5_0 for Q4_K, Q5_1 for Q5_K, Q8_0 for Q6_K, IQ4_NL for IQ4_XS, Q4_0 for other blocks of 256; and F16 for
    /// rows that are no multiple of 32.
    pub fn for_rows_of(self, row_len: usize) -> Self {
        let fits = |dtype: &Self| row_len.is_multiple_of(dtype.block_len());
        let smaller = match self {
            Self::Q4_K => Self::Q5_0,
            Self::Q5_K => Self::Q5_1,
            Self::Q6_K => Self::Q8_0,
            Self::IQ4_XS => Self::IQ4_NL,
            _ => Self::Q4_0,
        };
        [self, smaller].into_iter().find(fits).unwrap_or(Self::F16)
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
