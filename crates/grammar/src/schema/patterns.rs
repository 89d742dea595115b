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
