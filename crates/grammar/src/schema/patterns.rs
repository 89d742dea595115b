//! Regular expressions as JSON schemas have them: those of ECMAScript.

use std::iter::Peekable;
use std::str::Chars;

use serde_json::{Map, Value, json};

/// What `\s` is there; the crate `regex` knows other characters by it.
const SPACE: &str =
    r"\t\n\x0b\x0c\r \u{a0}\u{1680}\u{2000}-\u{200a}\u{2028}\u{2029}\u{202f}\u{205f}\u{3000}\u{feff}";
/// What `.` is not there.
const LINE_ENDS: &str = r"\n\r\u{2028}\u{2029}";

/// Writes patterns as the crate `regex` reads them. `\d` and `\w` are llguidance's work.
pub(super) fn translate(fields: &mut Map<String, Value>) {
    if let Some(Value::String(pattern)) = fields.get_mut("pattern") {
        *pattern = rust(pattern);
    }
    if let Some(Value::Object(patterns)) = fields.get_mut("patternProperties") {
        *patterns = std::mem::take(patterns).into_iter().map(|(key, schema)| (rust(&key), schema)).collect();
    }
}

/// Has texts match one pattern more, in the syntax of the crate `regex`.
pub(super) fn require(fields: &mut Map<String, Value>, pattern: &str) {
    if !fields.contains_key("pattern") {
        fields.insert("pattern".into(), pattern.into());
        return;
    }
    let all = fields.entry("allOf").or_insert_with(|| json!([]));
    if let Some(all) = all.as_array_mut() {
        all.push(json!({ "pattern": pattern }));
    }
}

/// The texts in which a pattern of a JSON schema is found, as one expression that a whole text matches, in the syntax of the crate
/// `regex`. `None` where an anchor stands elsewhere than at its ends, so that it cannot be told.
pub fn whole_text(pattern: &str) -> Option<String> {
    let (inner, before) = match pattern.strip_prefix('^') {
        Some(inner) => (inner, ""),
        None => (pattern, "(?s:.*)"),
    };
    let n_backslashes = |text: &str| text.len() - text.trim_end_matches('\\').len();
    let (inner, behind) = match inner.strip_suffix('$').filter(|inner| n_backslashes(inner) % 2 == 0) {
        Some(inner) => (inner, ""),
        None => (inner, "(?s:.*)"),
    };
    let (mut depth, mut in_class, mut chars) = (0usize, false, inner.chars());
    while let Some(c) = chars.next() {
        match c {
            '\\' => _ = chars.next(),
            '[' => in_class = true,
            ']' => in_class = false,
            _ if in_class => {}
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            '^' | '$' => return None,
            // an anchor belongs to one of the alternatives
            '|' if depth == 0 && inner.len() < pattern.len() => return None,
            _ => {}
        }
    }
    Some(format!("{before}(?:{}){behind}", ascii(&rust(inner))?))
}

/// `\d` and `\w` are of ASCII in JSON schemas. `None` where a class would have to lack them.
fn ascii(pattern: &str) -> Option<String> {
    let mut out = String::with_capacity(pattern.len());
    let (mut chars, mut in_class) = (pattern.chars(), false);
    while let Some(c) = chars.next() {
        match c {
            '\\' => match (chars.next(), in_class) {
                (Some('d'), true) => out.push_str("0-9"),
                (Some('w'), true) => out.push_str("0-9A-Za-z_"),
                (Some('D' | 'W'), true) => return None,
                (Some('d'), false) => out.push_str("[0-9]"),
                (Some('w'), false) => out.push_str("[0-9A-Za-z_]"),
                (Some('D'), false) => out.push_str("[^0-9]"),
                (Some('W'), false) => out.push_str("[^0-9A-Za-z_]"),
                (Some(other), _) => out.extend(['\\', other]),
                (None, _) => out.push('\\'),
            },
            c => {
                in_class = match c {
                    '[' => true,
                    ']' => false,
                    _ => in_class,
                };
                out.push(c);
            }
        }
    }
    Some(out)
}

/// ECMAScript's syntax in that of the crate `regex`. In a class, what begins a nested one or an operator there is a character here.
fn rust(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len());
    let mut rest = pattern.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\\' => escape(rest.next(), &mut out),
            '.' => out.push_str(&format!("[^{LINE_ENDS}]")),
            '[' => class(&mut rest, &mut out),
            c => out.push(c),
        }
    }
    out
}

fn class(rest: &mut Peekable<Chars<'_>>, out: &mut String) {
    let is_negated = rest.next_if_eq(&'^').is_some();
    if rest.next_if_eq(&']').is_some() {
        out.push_str(if is_negated { "(?s:.)" } else { "[a&&b]" });
        return;
    }
    out.push_str(if is_negated { "[^" } else { "[" });
    let mut is_first = true;
    while let Some(c) = rest.next() {
        match c {
            '\\' => escape(rest.next(), out),
            '[' | '&' | '~' => out.extend(['\\', c]),
            '-' if is_first => out.push_str(r"\-"),
            '-' if rest.next_if_eq(&'-').is_some() => out.push_str(r"-\-"),
            c => out.push(c),
        }
        if c == ']' {
            return;
        }
        is_first = false;
    }
}

fn escape(escaped: Option<char>, out: &mut String) {
    match escaped {
        Some('s') => out.push_str(&format!("[{SPACE}]")),
        Some('S') => out.push_str(&format!("[^{SPACE}]")),
        Some(c @ ('<' | '>')) => out.push(c),
        Some(c) => out.extend(['\\', c]),
        None => out.push('\\'),
    }
}
