//! The small model that ships with qwill: a real, trained Qwen3 of fewer than three million parameters.
//!
//! It is a demonstration, not a useful assistant. `README.md` beside this crate is its model card: what it can do, how well
//! (measured), and how to train it again.

/// The model as a GGUF file: Q8_0 matrices, F32 norms, tokenizer and chat template included.
pub static GGUF: &[u8] = include_bytes!("../model/qwill-demo-q8_0.gguf");

#[cfg(test)]
mod tests {
    #[test]
    fn is_a_gguf_v3_of_at_most_8_mb() {
        assert_eq!(&super::GGUF[..8], b"GGUF\x03\0\0\0");
        assert!(super::GGUF.len() <= 8_000_000, "{} bytes", super::GGUF.len());
    }
}
