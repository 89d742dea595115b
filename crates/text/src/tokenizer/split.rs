//! Pre-tokenisation: cutting text into the pieces inside which byte pairs may merge.
//!
//! The pieces are defined by a regular expression with a look-ahead. Only two exist in the whole
//! family, so they are written here as one scanner that reads every character once or twice: a
//! regular-expression engine would be the largest part of the wasm file, and a backtracking one
//! gives up on a million spaces in a row.

use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory};

/// Qwen1 to Qwen3-Next.
const LETTERS: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
/// Qwen3.5 and later.
const LETTERS_AND_MARKS: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// How text is cut into pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Splitter {
    /// Words are letters (Qwen1 to Qwen3-Next).
    Letters,
    /// Words are letters and combining marks (Qwen3.5 and later).
    LettersAndMarks,
}

/// What the expression asks about a character.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    /// `\r` or `\n`
    Newline,
    /// `\s` other than a newline
    Space,
    /// part of a word
    Word,
    /// anything else
    Symbol,
    /// `\p{N}`
    Digit,
}

impl Splitter {
    /// The splitter whose pieces equal those of `pattern`, if there is one.
    pub(super) fn for_pattern(pattern: &str) -> Option<Self> {
        match pattern {
            LETTERS => Some(Self::Letters),
            LETTERS_AND_MARKS => Some(Self::LettersAndMarks),
            _ => None,
        }
    }

    fn class(self, c: char) -> Class {
        match c {
            '\r' | '\n' => Class::Newline,
            'a'..='z' | 'A'..='Z' => Class::Word,
            '0'..='9' => Class::Digit,
            // The categories below do not overlap `\s`, so the order only serves speed.
            _ if c.is_whitespace() => Class::Space,
            _ if c.is_ascii() => Class::Symbol,
            _ => match c.general_category_group() {
                GeneralCategoryGroup::Letter => Class::Word,
                GeneralCategoryGroup::Number => Class::Digit,
                GeneralCategoryGroup::Mark if self == Self::LettersAndMarks => Class::Word,
                _ => Class::Symbol,
            },
        }
    }

    /// Calls `piece` with every piece of `text`, in order; together they are the whole text.
    pub(super) fn split<'t>(self, text: &'t str, mut piece: impl FnMut(&'t str)) {
        let mut rest = text;
        while !rest.is_empty() {
            let (head, tail) = rest.split_at(self.first_piece(rest));
            piece(head);
            rest = tail;
        }
    }

    /// Length in bytes of the first piece of a text that is not empty.
    fn first_piece(self, text: &str) -> usize {
        let mut chars = text.chars();
        let Some(first) = chars.next() else { return 0 };
        let after_first = first.len_utf8();
        if first == '\''
            && let Some(suffix) = contraction(chars.as_str())
        {
            return after_first + suffix;
        }
        let second = chars.clone().next().map(|c| self.class(c));
        match self.class(first) {
            Class::Word => self.run(text, 0, Class::Word),
            Class::Digit => after_first,
            // `[^\r\n\p{L}\p{N}]?` takes any single symbol or space in front of a word.
            Class::Symbol | Class::Space if second == Some(Class::Word) => {
                self.run(text, after_first, Class::Word)
            }
            Class::Symbol => self.symbols(text, 0),
            Class::Space if first == ' ' && second == Some(Class::Symbol) => self.symbols(text, after_first),
            Class::Space | Class::Newline => self.spaces(text),
        }
    }

    /// Where the run of `class` that covers `from` ends.
    fn run(self, text: &str, from: usize, class: Class) -> usize {
        text[from..]
            .char_indices()
            .find(|&(_, c)| self.class(c) != class)
            .map_or(text.len(), |(at, _)| from + at)
    }

    /// `[^\s\p{L}\p{N}]+[\r\n]*`
    fn symbols(self, text: &str, from: usize) -> usize {
        let end = self.run(text, from, Class::Symbol);
        self.run(text, end, Class::Newline)
    }

    /// `\s*[\r\n]+|\s+(?!\S)|\s+` for a text that begins with white space: up to the last newline
    /// of the run if it has one, else all but the last character if something follows, else all.
    fn spaces(self, text: &str) -> usize {
        let mut last_newline = None;
        let mut last_start = 0;
        let mut end = text.len();
        for (at, c) in text.char_indices() {
            match self.class(c) {
                Class::Newline => last_newline = Some(at + 1),
                Class::Space => {}
                _ => {
                    end = at;
                    break;
                }
            }
            last_start = at;
        }
        match last_newline {
            Some(after) => after,
            None if end < text.len() && last_start > 0 => last_start,
            None => end,
        }
    }
}

/// Length of the rest of an English contraction after its apostrophe, in any case.
fn contraction(text: &str) -> Option<usize> {
    let mut chars = text.chars();
    let first = chars.next()?;
    // The long s is a case variant of `s` to a Unicode regular expression.
    if matches!(first, 's' | 'S' | 't' | 'T' | 'm' | 'M' | 'd' | 'D' | 'ſ') {
        return Some(first.len_utf8());
    }
    let pair = [first.to_ascii_lowercase(), chars.next()?.to_ascii_lowercase()];
    matches!(pair, ['r', 'e'] | ['v', 'e'] | ['l', 'l']).then_some(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(splitter: Splitter, text: &str) -> Vec<&str> {
        let mut out = Vec::new();
        splitter.split(text, |p| out.push(p));
        out
    }

    #[test]
    fn words_take_one_symbol_in_front() {
        assert_eq!(pieces(Splitter::Letters, "Hello, world!"), ["Hello", ",", " world", "!"]);
        assert_eq!(pieces(Splitter::Letters, "\tx .y"), ["\tx", " .", "y"]);
    }

    #[test]
    fn contractions_come_first() {
        assert_eq!(pieces(Splitter::Letters, "I'LL don't 'sup"), ["I", "'LL", " don", "'t", " '", "sup"]);
        assert_eq!(pieces(Splitter::Letters, "'sup 're"), ["'s", "up", " '", "re"]);
    }

    #[test]
    fn digits_stand_alone() {
        assert_eq!(pieces(Splitter::Letters, "a12 3"), ["a", "1", "2", " ", "3"]);
    }

    #[test]
    fn white_space_follows_the_three_rules() {
        assert_eq!(pieces(Splitter::Letters, "a  b"), ["a", " ", " b"]);
        assert_eq!(pieces(Splitter::Letters, "a \n \n  b"), ["a", " \n \n", " ", " b"]);
        assert_eq!(pieces(Splitter::Letters, "a   "), ["a", "   "]);
        assert_eq!(pieces(Splitter::Letters, "=\n\n x"), ["=\n\n", " x"]);
        assert_eq!(pieces(Splitter::Letters, "\u{3000}\u{3000}x"), ["\u{3000}", "\u{3000}x"]);
    }

    #[test]
    fn marks_belong_to_words_only_in_the_newer_pattern() {
        assert_eq!(pieces(Splitter::Letters, "नमस्ते"), ["नमस", "्त", "े"]);
        assert_eq!(pieces(Splitter::LettersAndMarks, "नमस्ते"), ["नमस्ते"]);
        assert_eq!(pieces(Splitter::LettersAndMarks, "\u{301}."), ["\u{301}", "."]);
    }

    /// Random texts of awkward characters, cut by the reference implementation.
    #[test]
    fn pieces_are_those_of_the_regular_expression() {
        let golden: serde_json::Value =
            serde_json::from_str(include_str!("../../tests/data/tokenizers/texts.json")).unwrap();
        let texts = golden["texts"].as_array().unwrap();
        assert!(texts.len() > 200);
        for (key, splitter) in
            [("pieces_qwen2", Splitter::Letters), ("pieces_qwen35", Splitter::LettersAndMarks)]
        {
            for (text, expected) in texts.iter().zip(golden[key].as_array().unwrap()) {
                let text = text.as_str().unwrap();
                assert_eq!(serde_json::json!(pieces(splitter, text)), *expected, "{key}: {text:?}");
            }
        }
    }
}
