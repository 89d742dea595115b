//! Any floats in any format: quantising never panics, and values of a size that weights have come back with a small
//! error. The first byte picks the format.
//!
//! Run by `cargo xtask test fuzz`.

#![no_main]

use libfuzzer_sys::fuzz_target;
use qwill_weights::{DType, dequantize, quantize};

fuzz_target!(|data: &[u8]| {
    let Some((&pick, bytes)) = data.split_first() else {
        return;
    };
    let dtype = DType::ALL[usize::from(pick) % DType::ALL.len()];
    let values: Vec<f32> = bytes.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
    let values = &values[..values.len() / dtype.block_len() * dtype.block_len()];
    let Ok(blocks) = quantize(dtype, values) else {
        return;
    };
    let mut back = vec![0.0; values.len()];
    dequantize(dtype, &blocks, &mut back).unwrap();
    for (values, back) in values.chunks(dtype.block_len()).zip(back.chunks(dtype.block_len())) {
        let largest = values.iter().fold(0.0, |max: f32, v| max.max(v.abs()));
        // smaller scales are subnormal halves, larger ones may overflow
        if !values.iter().all(|v| v.is_finite()) || !(1.0..1e4).contains(&largest) {
            continue;
        }
        for (v, b) in values.iter().zip(back) {
            assert!((v - b).abs() <= largest, "{dtype}: {v} became {b}");
        }
    }
});
