//! The tags of a reply, as text and as tokens.

/// What takes a reply apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplyTag {
    /// `<think>`
    Think,
    /// `</think>`
    EndThink,
    /// `<tool_call>`
    Call,
    /// `</tool_call>`
    EndCall,
}

/// Whether a token shows where it is no tag but a part of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visibility {
    /// By its name.
    Shown,
    /// Not at all, as any control token.
    Hidden,
}

pub(super) const THINK: &str = "<think>";
pub(super) const END_THINK: &str = "</think>";
pub(super) const CALL: &str = "<tool_call>";
pub(super) const END_CALL: &str = "</tool_call>";
pub(super) const FUNCTION: &str = "<function=";

/// The first of the characters that stand for tokens inside the parser. Unicode keeps them for such uses and promises
/// that no text has them.
const FIRST_MARK: u32 = 0xFDD1;

impl ReplyTag {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Think, Self::EndThink, Self::Call, Self::EndCall];

    /// Its text.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Think => THINK,
            Self::EndThink => END_THINK,
            Self::Call => CALL,
            Self::EndCall => END_CALL,
        }
    }

    /// The character that stands for its token.
    pub(super) fn mark(self, visibility: Visibility) -> char {
        let at = self as u32 * 2 + u32::from(visibility == Visibility::Hidden);
        char::from_u32(FIRST_MARK + at).unwrap_or(char::REPLACEMENT_CHARACTER)
    }

    fn marks(self) -> [char; 2] {
        [self.mark(Visibility::Shown), self.mark(Visibility::Hidden)]
    }

    /// Where its token or, if `spelled` says so, its text first lies in a text, and how long that is.
    pub(super) fn find(self, text: &str, spelled: Spelled) -> Option<(usize, usize)> {
        let token = text.find(self.marks()).map(|at| (at, self.mark(Visibility::Shown).len_utf8()));
        let name = match spelled {
            Spelled::Counts => text.find(self.name()).map(|at| (at, self.name().len())),
            Spelled::IsText => None,
        };
        token.into_iter().chain(name).min()
    }

    /// The text behind the tag that it begins with, and whether that is a token.
    pub(super) fn strip(self, text: &str) -> Option<(&str, Spelled)> {
        let token = text.strip_prefix(self.marks()).map(|rest| (rest, Spelled::IsText));
        token.or_else(|| text.strip_prefix(self.name()).map(|rest| (rest, Spelled::Counts)))
    }
}

/// What a tag is that is not a token of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spelled {
    /// As good as a token.
    Counts,
    /// Text.
    IsText,
}

fn marked(c: char) -> Option<(ReplyTag, Visibility)> {
    let at = (c as u32).checked_sub(FIRST_MARK)?;
    let tag = *ReplyTag::ALL.get(at as usize / 2)?;
    Some((tag, if at % 2 == 0 { Visibility::Shown } else { Visibility::Hidden }))
}

/// The text that a character stands for if it is a token's.
pub(super) fn name_of(c: char) -> Option<&'static str> {
    marked(c).map(|(tag, _)| tag.name())
}

/// A text without characters that could be taken for tokens.
pub(super) fn without_marks(text: &str) -> String {
    text.chars().map(|c| if marked(c).is_some() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// A text as people see it: tokens by their names, hidden ones not at all.
pub(super) fn shown(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match marked(c) {
            None => shown.push(c),
            Some((tag, Visibility::Shown)) => shown.push_str(tag.name()),
            Some((_, Visibility::Hidden)) => {}
        }
    }
    shown
}

/// Length of the longest end of `text` that is the beginning of a tag, but not all of it.
pub(super) fn partial_tag(text: &str, tags: &[&str]) -> usize {
    tags.iter().flat_map(|tag| (1..tag.len()).rev().filter(|&n| text.ends_with(&tag[..n]))).max().unwrap_or(0)
}
