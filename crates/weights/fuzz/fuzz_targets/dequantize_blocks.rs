//! Any bytes as blocks of any type: dequantising, repacking and unpacking must agree, and never
//! panic. The first byte picks the type.
//!
//! Run by `cargo xtask test fuzz`.

#![no_main]

use libfuzzer_sys::fuzz_target;
use qwill_weights::{DType, Layout, dequantize, quantize, repack, unpack};

fuzz_target!(|data: &[u8]| {
    let Some((&pick, bytes)) = data.split_first() else {
        return;
    };
    let dtype = DType::ALL[usize::from(pick) % DType::ALL.len()];
    let n_blocks = bytes.len() / dtype.block_bytes();
    let bytes = &bytes[..n_blocks * dtype.block_bytes()];
    let mut values = vec![0.0; n_blocks * dtype.block_len()];
    if dequantize(dtype, bytes, &mut values).is_err() {
        return;
    }
    if let Some(layout) = Layout::of(dtype) {
        let streams = repack(dtype, bytes, 1, values.len()).unwrap();
        let back = unpack(layout, &streams, 1, values.len());
        let same = |(a, b): (&f32, &f32)| a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan();
        assert!(back.iter().zip(&values).all(same));
    }
    for to in [DType::Q4_0, DType::Q5_1, DType::Q8_0, DType::Q4_K] {
        let whole = values.len() / to.block_len() * to.block_len();
        quantize(to, &values[..whole]).unwrap();
    }
});
