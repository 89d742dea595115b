//! Where values of calls in XML end. A value may hold anything, tags of calls too, so that a closing tag counts only where
//! the call goes on or ends behind it; and models forget closing tags.

use super::progress::{Ending, Opening};
use super::tag::{CALL, END_CALL, FUNCTION};

const PARAMETER: &str = "<parameter=";
const END_PARAMETER: &str = "</parameter>";
const END_FUNCTION: &str = "</function>";
/// Names are no texts.
const LONGEST_NAME: usize = 200;

/// What follows a value, or what a call begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Follows {
    /// The parameter of this name.
    Parameter(String),
    /// Another call of the same block, whose name is still to come.
    Function,
    /// Nothing: the block is closed.
    Closed,
    /// The next block.
    Reopened,
}

/// What the text from a `<` on is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// A part of the value.
    Text,
    /// It depends on what comes.
    Unknown,
    /// The end of the value.
    End(Follows),
}

/// What is known about a place.
pub(super) struct Place<'p> {
    pub(super) opening: Opening,
    /// Whether a parameter may begin here although the one before was not closed.
    pub(super) may_begin: &'p dyn Fn(&str) -> bool,
    /// Whether and how the text ends behind what there is.
    pub(super) ending: Option<Ending>,
}

impl Place<'_> {
    fn unknown(&self) -> Found {
        if self.ending.is_none() { Found::Unknown } else { Found::Text }
    }
}

/// Which of several tags a text begins with.
enum Choice<'t> {
    /// This one, and what is behind it.
    Tag(&'static str, &'t str),
    /// The text ends before it is certain.
    Partly,
    None,
}

fn choose<'t>(text: &'t str, tags: &[&'static str]) -> Choice<'t> {
    let found = tags.iter().find_map(|&tag| Some(Choice::Tag(tag, text.strip_prefix(tag)?)));
    let partly = || tags.iter().any(|tag| tag.starts_with(text));
    found.unwrap_or_else(|| if partly() { Choice::Partly } else { Choice::None })
}

/// The text ends before the name does.
#[derive(Debug)]
pub(super) struct Unfinished;

/// A name without white space and quotes around it, which models add.
pub(super) fn bare_name(text: &str) -> &str {
    let text = text.trim();
    let quoted = |quote| text.strip_prefix(quote).and_then(|text| text.strip_suffix(quote));
    quoted('"').or_else(|| quoted('\'')).filter(|name| !name.is_empty()).unwrap_or(text)
}

/// A name and what stands around it, up to `>`; nothing if this is no name.
pub(super) fn name_before_bracket(text: &str) -> Result<Option<&str>, Unfinished> {
    match text.find(['>', '<', '\n']) {
        Some(end) if text[end..].starts_with('>') && !text[..end].trim().is_empty() => Ok(Some(&text[..end])),
        None if text.len() <= LONGEST_NAME => Err(Unfinished),
        _ => Ok(None),
    }
}

/// What the rest of a value is, from a `<` on.
pub(super) fn value_end(text: &str, place: &Place<'_>) -> Found {
    match choose(text, &[END_PARAMETER, END_FUNCTION, PARAMETER]) {
        Choice::Tag(END_PARAMETER, rest) => behind_parameter(rest, place),
        Choice::Tag(END_FUNCTION, rest) => behind_function(rest, place),
        Choice::Tag(_, rest) => parameter(rest, place, place.may_begin),
        Choice::Partly => place.unknown(),
        Choice::None => Found::Text,
    }
}

/// What comes where no value is open: behind the name of a call, and behind `</parameter>`.
pub(super) fn behind_parameter(text: &str, place: &Place<'_>) -> Found {
    let text = text.trim_start();
    match (text, place.ending) {
        // More parameters may have been to come.
        ("", Some(Ending::Cut)) => return Found::Text,
        ("", Some(Ending::Whole)) => return Found::End(Follows::Closed),
        _ => {}
    }
    match choose(text, &[PARAMETER, END_FUNCTION, END_CALL]) {
        Choice::Tag(PARAMETER, rest) => parameter(rest, place, &|_| true),
        Choice::Tag(END_FUNCTION, _) if place.opening == Opening::Bare => Found::End(Follows::Closed),
        Choice::Tag(END_FUNCTION, rest) => behind_function(rest, place),
        Choice::Tag(_, _) => Found::End(Follows::Closed),
        Choice::Partly => place.unknown(),
        Choice::None => Found::Text,
    }
}

fn parameter(text: &str, place: &Place<'_>, may_begin: &dyn Fn(&str) -> bool) -> Found {
    match name_before_bracket(text).map(|name| name.map(bare_name)) {
        Ok(Some(name)) if may_begin(name) => Found::End(Follows::Parameter(name.to_owned())),
        Ok(_) => Found::Text,
        Err(Unfinished) => place.unknown(),
    }
}

fn behind_function(text: &str, place: &Place<'_>) -> Found {
    let text = text.trim_start();
    if text.is_empty() && place.ending.is_some() {
        return Found::End(Follows::Closed);
    }
    match choose(text, &[END_CALL, FUNCTION, CALL]) {
        Choice::Tag(END_CALL, _) => Found::End(Follows::Closed),
        Choice::Tag(FUNCTION, _) => Found::End(Follows::Function),
        Choice::Tag(_, _) => Found::End(Follows::Reopened),
        Choice::Partly => place.unknown(),
        Choice::None => Found::Text,
    }
}
