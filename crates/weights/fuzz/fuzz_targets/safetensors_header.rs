//! Any bytes as a safetensors header (the length before it is put right, or nothing would get
//! past it): an error or a checkpoint whose tensors can be read.
//!
//! Run by `cargo xtask test fuzz`.

#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use pollster::block_on;
use qwill_weights::{Checkpoint, MemorySource};

fuzz_target!(|data: &[u8]| {
    let mut file = (data.len() as u64).to_le_bytes().to_vec();
    file.extend(data);
    file.extend([0; 64]);
    let source = Arc::new(MemorySource::new("fuzz", file));
    // The same bytes as an index: most are refused, none may panic.
    let indexed = Checkpoint::open_safetensors(vec![source.clone()], Some(data));
    assert!(!block_on(indexed).is_err_and(|e| e.to_string().is_empty()));
    let Ok(checkpoint) = block_on(Checkpoint::open_safetensors(vec![source], None)) else {
        return;
    };
    for t in checkpoint.tensors() {
        let bytes = block_on(checkpoint.read_rows(t, 0..t.n_rows())).unwrap();
        assert_eq!(bytes.len() as u64, t.byte_len);
    }
});
