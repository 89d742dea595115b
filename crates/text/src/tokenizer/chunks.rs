//! White space without end, in chunks.
//!
//! The engine behind the expressions remembers every character that `\s+(?!\S)` has passed and
//! gives up at a million of them; the library then takes all text from there on for one word.

use tokenizers::Offsets;
use tokenizers::pattern::Pattern;

/// Cuts white space that is longer than [`LIMIT`] bytes, where it loses a merge, and nothing else.
pub(super) struct Chunks;

const LIMIT: usize = 1 << 19;

impl Chunks {
    /// Whether a text is long enough to be cut.
    pub(super) fn needed_for(text: &str) -> bool {
        text.len() > LIMIT
    }
}

impl Pattern for Chunks {
    fn find_matches(&self, text: &str) -> tokenizers::Result<Vec<(Offsets, bool)>> {
        let mut chunks = Vec::new();
        // Where the chunk and where its last run of white space begins.
        let (mut chunk, mut run) = (0, 0);
        for (at, c) in text.char_indices() {
            if !c.is_whitespace() {
                run = at + c.len_utf8();
            } else if at + c.len_utf8() - run > LIMIT {
                chunks.push(((chunk, at), true));
                (chunk, run) = (at, at);
            }
        }
        chunks.push(((chunk, text.len()), true));
        Ok(chunks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths(text: &str) -> Vec<usize> {
        Chunks.find_matches(text).unwrap().into_iter().map(|((start, end), _)| end - start).collect()
    }

    #[test]
    fn only_white_space_is_cut() {
        let letters = "a ".repeat(LIMIT);
        assert_eq!(lengths(&letters), [letters.len()]);
        assert_eq!(lengths(&format!("ab{}c", " ".repeat(LIMIT))), [LIMIT + 3]);
        assert_eq!(lengths(&format!("ab{}c", " ".repeat(LIMIT + 1))), [LIMIT + 2, 2]);
        assert_eq!(lengths(&"\n".repeat(2 * LIMIT + 1)), [LIMIT, LIMIT, 1]);
        let wide = lengths(&"\u{3000}".repeat(LIMIT / 2));
        assert_eq!(wide, [LIMIT / 3 * 3, LIMIT / 2 * 3 - LIMIT / 3 * 3]);
        assert_eq!(lengths(""), [0]);
    }
}
