//! Any bytes as a GGUF file: an error or a checkpoint whose tensors can be read.
//!
//! Run by `cargo xtask test fuzz`.

#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use pollster::block_on;
use qwill_weights::{Checkpoint, MemorySource};

fuzz_target!(|data: &[u8]| {
    let source = Arc::new(MemorySource::new("fuzz", data.to_vec()));
    let Ok(checkpoint) = block_on(Checkpoint::open_gguf(vec![source])) else {
        return;
    };
    for (key, value) in checkpoint.metadata().iter() {
        assert!(!value.to_string().is_empty());
        let _ = checkpoint.metadata().get_u64(key);
        let _ = checkpoint.metadata().get_f64s(key);
        let _ = checkpoint.metadata().get_strings(key);
    }
    for t in checkpoint.tensors() {
        let bytes = block_on(checkpoint.read_rows(t, 0..t.n_rows())).unwrap();
        assert_eq!(bytes.len() as u64, t.byte_len);
    }
});
