//! Where a call begins in a text.

use super::progress::Opening;
use super::tag::{CALL, FUNCTION, ReplyTag, Spelled, partial_tag};
use super::tools::Tools;
use super::xml_ends::{Unfinished, bare_name, name_before_bracket};

/// What a text holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// A call that begins at `at` and whose inside begins at `inside`.
    Call { at: usize, inside: usize, opening: Opening },
    /// No call before this place, from which on more text is needed.
    Nothing { certain: usize },
}

/// The first begin of a call: the tag, or `<function=NAME>` of a declared tool.
pub(super) fn find_call(text: &str, tools: &Tools) -> Found {
    let tagged = ReplyTag::Call.find(text, Spelled::Counts);
    let end = tagged.map_or(text.len(), |(at, _)| at);
    if !tools.is_empty() {
        for (at, _) in text[..end].match_indices(FUNCTION) {
            let name = &text[at + FUNCTION.len()..];
            match name_before_bracket(name) {
                Ok(Some(name)) if tools.is_declared(bare_name(name)) => {
                    return Found::Call { at, inside: at, opening: Opening::Bare };
                }
                Err(Unfinished) if tools.may_be_declared(name.trim().trim_matches(['"', '\''])) => {
                    return Found::Nothing { certain: at };
                }
                _ => {}
            }
        }
    }
    match tagged {
        Some((at, len)) => Found::Call { at, inside: at + len, opening: Opening::Tagged },
        None => {
            let tags: &[&str] = if tools.is_empty() { &[CALL] } else { &[CALL, FUNCTION] };
            Found::Nothing { certain: text.len() - partial_tag(text, tags) }
        }
    }
}
