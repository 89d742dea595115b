//! Filling in the middle, which the Coder base models learned.

/// Names of the tokens that end a middle, besides the end-of-text ids: the model goes on to the
/// next file, or begins to repeat the form.
pub const FIM_STOP_TOKENS: [&str; 7] = [
    "<|endoftext|>",
    "<|im_end|>",
    "<|fim_prefix|>",
    "<|fim_middle|>",
    "<|fim_suffix|>",
    "<|repo_name|>",
    "<|file_sep|>",
];

/// The prompt after which a Coder model writes what belongs between two texts. To be encoded with
/// [`Specials::Parse`](crate::Specials::Parse).
#[must_use]
pub fn fim_prompt(before: &str, after: &str) -> String {
    format!("<|fim_prefix|>{before}<|fim_suffix|>{after}<|fim_middle|>")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_comes_last() {
        assert_eq!(fim_prompt("a(", ")\n"), "<|fim_prefix|>a(<|fim_suffix|>)\n<|fim_middle|>");
        assert!(FIM_STOP_TOKENS.contains(&"<|fim_middle|>"));
    }
}
