//! How much of a text means what it means, whatever follows.

use super::layout::{Content, Kind, Layout};

/// Nobody waits longer than so many bytes for the end of something.
const PATIENCE: usize = 400;

/// The end of what can be shown.
pub(super) fn stable_end(source: &str, layout: &Layout<'_>, shown: usize) -> usize {
    let Some(last) = layout.blocks.last() else { return 0 };
    let line = source.rfind('\n').map_or(0, |at| at + 1);
    match last.kind {
        Kind::Code { .. } => line.max(shown),
        Kind::Table if source.ends_with("\n\n") => source.len(),
        Kind::Table => last.start,
        Kind::Text => {
            let end = begun_mark(source, layout, shown).unwrap_or(source.len());
            let end = end.min(begun_line(source, line));
            if source.len() - end > PATIENCE { source.len() } else { end }
        }
    }
}

/// Where the last line begins, or the one before, if it may yet become a heading, an item, a fence, a table…
fn begun_line(source: &str, line: usize) -> usize {
    let core = |line: &str| line.trim_start_matches([' ', '\t', '>']).to_owned();
    let last = core(&source[line..]);
    let before = source[..line].trim_end_matches('\n').rfind('\n').map_or(0, |at| at + 1);
    let is_row = |text: &str| text.starts_with('|');
    // the head of a table is one only if a line of dashes follows
    let may_be_rule = last.chars().all(|c| "|-: ".contains(c));
    if line > 0 && source[..line].ends_with('\n') && is_row(&core(&source[before..line])) && may_be_rule {
        return before;
    }
    let is_mark = |c: char| "-*+_=#`~|:.) \t".contains(c) || c.is_ascii_digit();
    let is_begun = !last.is_empty() && last.chars().all(is_mark);
    if is_begun || is_row(&last) || last.starts_with("```") || last.starts_with("~~~") {
        return line;
    }
    source.len()
}

/// The first sign that may begin something which is not complete.
fn begun_mark(source: &str, layout: &Layout<'_>, shown: usize) -> Option<usize> {
    let last = layout.blocks.len() - 1;
    let pieces = layout.pieces.iter().filter(|piece| piece.block == last && piece.source.end > shown);
    let texts = pieces.filter(|piece| matches!(piece.content, Content::Verbatim));
    let mut signs = texts.flat_map(|piece| {
        let start = piece.source.start.max(shown);
        source[start..piece.source.end].char_indices().map(move |(at, sign)| (start + at, sign))
    });
    let tail = source.trim_end_matches('\\').len();
    let begun = signs.find(|&(at, sign)| may_begin(source, at, sign)).map(|(at, _)| at);
    begun.or_else(|| (tail < source.len()).then_some(tail))
}

fn may_begin(source: &str, at: usize, sign: char) -> bool {
    let (before, after) = (&source[..at], &source[at + sign.len_utf8()..]);
    let next = after.chars().next();
    if before.ends_with('\\') {
        return false;
    }
    match sign {
        '`' => true,
        '*' => next.is_none_or(|next| !next.is_whitespace()),
        '_' => {
            let in_word = before.chars().next_back().is_some_and(char::is_alphanumeric);
            !in_word && next.is_none_or(|next| !next.is_whitespace())
        }
        '~' => next.is_none_or(|next| next == '~'),
        '!' => next.is_none(),
        '&' => after.chars().all(|c| c.is_ascii_alphanumeric() || c == '#'),
        '<' => {
            next.is_none_or(|next| next.is_ascii_alphabetic() || "/!".contains(next)) && !after.contains('>')
        }
        '[' => match after.split_once(']') {
            None => true,
            Some((_, behind)) => behind.is_empty() || (behind.starts_with('(') && !behind.contains(')')),
        },
        '$' => {
            next.is_none_or(|next| !next.is_whitespace() && !next.is_ascii_digit()) && !after.contains('\n')
        }
        _ => false,
    }
}
