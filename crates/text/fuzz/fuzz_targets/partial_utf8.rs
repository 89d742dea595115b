//! Any bytes as tokens, one each: what a stream gives out never changes and together is the text of all.
//!
//! Run by `cargo xtask test fuzz`.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use qwill_text::{GgufTokenizer, SpecialsOut, Tokenizer};

static BYTES: LazyLock<Tokenizer> =
    LazyLock::new(|| Tokenizer::from_gguf(GgufTokenizer::of_bytes(&["<think>"], 257)).unwrap());

fuzz_target!(|data: &[u8]| {
    // The special token has no byte of its own.
    let ids: Vec<u32> = data.iter().map(|&byte| if byte == 0 { 256 } else { u32::from(byte) }).collect();
    for specials in [SpecialsOut::Skip, SpecialsOut::Keep] {
        let mut stream = BYTES.stream_with(specials);
        let mut text: String = ids.iter().map(|&id| stream.push(id)).collect();
        text += &stream.finish();
        assert_eq!(text, BYTES.decode(&ids, specials));
    }
});
