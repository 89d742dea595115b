//! How values print in Python.

use minijinja::Value;
use minijinja::value::ValueKind;
use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory};

use super::{is_list, numbers};
use crate::tokenizer::GUARD;

/// How deeply values that are printed may be nested; a template can nest them without end.
pub(super) const MAX_DEPTH: usize = 500;

/// `str(value)`
pub(super) fn text(value: &Value) -> String {
    match value.kind() {
        ValueKind::String => value.to_string(),
        ValueKind::Undefined => String::new(),
        _ => {
            let mut out = String::new();
            repr(value, 0, &mut out);
            out
        }
    }
}

/// `repr(value)`
fn repr(value: &Value, depth: usize, out: &mut String) {
    if depth > MAX_DEPTH {
        return out.push_str("...");
    }
    let list = |out: &mut String, [open, close]: [&str; 2], items: Vec<Value>| {
        out.push_str(open);
        for (at, item) in items.iter().enumerate() {
            if at > 0 {
                out.push_str(", ");
            }
            repr(item, depth + 1, out);
        }
        out.push_str(close);
    };
    match value.kind() {
        ValueKind::Undefined => out.push_str("Undefined"),
        ValueKind::Number if !value.is_integer() => match f64::try_from(value.clone()) {
            Ok(number) => out.push_str(&numbers::float(number)),
            Err(_) => out.push_str(&value.to_string()),
        },
        ValueKind::String => repr_text(value.as_str().unwrap_or_default(), out),
        ValueKind::Map => {
            out.push('{');
            for (at, key) in value.try_iter().into_iter().flatten().enumerate() {
                if at > 0 {
                    out.push_str(", ");
                }
                repr(&key, depth + 1, out);
                out.push_str(": ");
                repr(&value.get_item(&key).unwrap_or_default(), depth + 1, out);
            }
            out.push('}');
        }
        _ if is_list(value) => {
            let items: Vec<Value> = value.try_iter().into_iter().flatten().collect();
            let brackets = match (value.is_tuple(), items.len()) {
                (true, 1) => ["(", ",)"],
                (true, _) => ["(", ")"],
                _ => ["[", "]"],
            };
            list(out, brackets, items);
        }
        // Booleans, None and whole numbers print as in Python.
        _ => out.push_str(&value.to_string()),
    }
}

/// `repr(str)`
fn repr_text(text: &str, out: &mut String) {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    out.push(quote);
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            _ if c == quote => out.extend(['\\', c]),
            // a mark goes again
            _ if is_printable(c) || c == GUARD => out.push(c),
            _ => {
                let code = c as u32;
                out.push_str(&match code {
                    0..=0xff => format!("\\x{code:02x}"),
                    0x100..=0xffff => format!("\\u{code:04x}"),
                    _ => format!("\\U{code:08x}"),
                });
            }
        }
    }
    out.push(quote);
}

/// `str.isprintable`
fn is_printable(c: char) -> bool {
    let group = c.general_category_group();
    c == ' ' || !matches!(group, GeneralCategoryGroup::Other | GeneralCategoryGroup::Separator)
}
