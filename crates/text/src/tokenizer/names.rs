//! Names of added tokens, to be found in what somebody typed.

use aho_corasick::{AhoCorasick, BuildError};

/// Stands inside names of tokens that are to be taken for text. Unicode keeps this character for such uses and promises that no text
/// has it; one that has it all the same loses it.
pub(crate) const GUARD: char = '\u{FDD0}';

/// Between these a model writes its thoughts and its calls, and reads results.
const TAGS: [&str; 6] =
    ["<think>", "</think>", "<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>"];

/// Names that texts may hold.
pub(crate) struct Names(AhoCorasick);

/// Which names are ordinary text, and where.
pub(crate) struct TypedNames {
    /// In the text of others: every name.
    pub(crate) anywhere: Names,
    /// In what the model said: names of special tokens, unless they are its tags.
    pub(crate) in_replies: Names,
    /// In its thoughts: the end of thoughts, too, which cannot stand inside them.
    pub(crate) in_thoughts: Names,
}

impl TypedNames {
    /// Takes names, and whether they are of special tokens.
    pub(super) fn new(added: &[(&str, bool)]) -> Result<Self, BuildError> {
        let is_control = |&&(name, special): &&(&str, bool)| special && !TAGS.contains(&name);
        let control: Vec<&str> = added.iter().filter(is_control).map(|(name, _)| *name).collect();
        Ok(Self {
            anywhere: Names::new(added.iter().map(|(name, _)| *name))?,
            in_thoughts: Names::new(control.iter().copied().chain(["</think>"]))?,
            in_replies: Names::new(control)?,
        })
    }
}

impl Names {
    fn new<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, BuildError> {
        // A name of one character has no inside to mark.
        AhoCorasick::new(names.into_iter().filter(|name| name.chars().nth(1).is_some())).map(Self)
    }

    /// Whether a text holds one.
    pub(crate) fn are_in(&self, text: &str) -> bool {
        self.0.is_match(text)
    }

    /// Puts a mark behind the first character of every name, those that overlap included. The texts may come to stand side
    /// by side: a name may begin in one and end in another.
    pub(crate) fn mark(&self, texts: Vec<&mut String>) {
        let joined: String = texts.iter().map(|text| text.as_str()).collect();
        let first = |start: usize| joined[start..].chars().next().map_or(0, char::len_utf8);
        let found = self.0.find_overlapping_iter(&joined);
        let mut places: Vec<usize> = found.map(|name| name.start() + first(name.start())).collect();
        if places.is_empty() {
            return;
        }
        places.sort_unstable();
        places.dedup();
        let mut places = places.into_iter().peekable();
        let mut at = 0;
        for text in texts {
            let end = at + text.len();
            text.clear();
            while let Some(place) = places.next_if(|place| *place <= end) {
                text.push_str(&joined[at..place]);
                text.push(GUARD);
                at = place;
            }
            text.push_str(&joined[at..end]);
            at = end;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marked(names: &[&str], texts: &[&str]) -> Vec<String> {
        let mut texts: Vec<String> = texts.iter().map(|&text| text.to_owned()).collect();
        Names::new(names.iter().copied()).unwrap().mark(texts.iter_mut().collect());
        texts.into_iter().map(|text| text.replace(GUARD, "·")).collect()
    }

    #[test]
    fn names_are_marked_wherever_they_stand() {
        assert_eq!(marked(&["<a>"], &["x<a><a>"]), ["x<·a><·a>"]);
        assert_eq!(marked(&["<a>"], &["<", "a", ">"]), ["<·", "a", ">"]);
        assert_eq!(marked(&["<a>"], &["x<a", ">", "<a>"]), ["x<·a", ">", "<·a>"]);
        assert_eq!(marked(&["aa"], &["aaaa"]), ["a·a·a·a"]);
        assert_eq!(marked(&["ab", "bc"], &["abc"]), ["a·b·c"]);
        assert_eq!(marked(&["字典"], &["字典"]), ["字·典"]);
        assert_eq!(marked(&["a", ""], &["a"]), ["a"]);
    }
}
