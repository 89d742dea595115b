//! The `tojson` filter as transformers defines it: Python's `json.dumps` with
//! `ensure_ascii=False`.

use minijinja::value::{Kwargs, ValueKind};
use minijinja::{Error, ErrorKind, Value};

use super::print::MAX_DEPTH;
use super::{is_list, numbers};
use crate::tokenizer::GUARD;

/// `tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False)`
pub(super) fn tojson(
    value: &Value,
    ensure_ascii: Option<bool>,
    indent: Option<Value>,
    options: Kwargs,
) -> Result<String, Error> {
    let indent = match indent.or(options.get::<Option<Value>>("indent")?) {
        None => None,
        Some(value) if value.is_none() => None,
        Some(value) => Some(match value.as_str() {
            Some(text) => text.to_owned(),
            None => " ".repeat(usize::try_from(value.as_i64().unwrap_or(0)).unwrap_or(0).min(1000)),
        }),
    };
    let separators = options.get::<Option<Value>>("separators")?.filter(|v| !v.is_none());
    let (item, key) = match separators {
        Some(pair) => {
            let part = |at| pair.get_item_by_index(at).map(|v| v.to_string());
            (part(0)?, part(1)?)
        }
        // With an indent Python leaves out the space that would end the line.
        None => ((if indent.is_some() { "," } else { ", " }).to_owned(), ": ".to_owned()),
    };
    let writer = Writer {
        ascii: ensure_ascii.or(options.get("ensure_ascii")?).unwrap_or(false),
        sort_keys: options.get::<Option<bool>>("sort_keys")?.unwrap_or(false),
        indent,
        item,
        key,
    };
    options.assert_all_used()?;
    let mut out = String::new();
    writer.value(value, 0, &mut out)?;
    Ok(out)
}

/// The filter without arguments.
pub(super) fn python_json(value: &Value) -> Result<String, Error> {
    let (item, key) = (", ".to_owned(), ": ".to_owned());
    let writer = Writer { ascii: false, sort_keys: false, indent: None, item, key };
    let mut out = String::new();
    writer.value(value, 0, &mut out)?;
    Ok(out)
}

struct Writer {
    ascii: bool,
    sort_keys: bool,
    indent: Option<String>,
    /// Between two items.
    item: String,
    /// Between a key and its value.
    key: String,
}

impl Writer {
    fn value(&self, value: &Value, depth: usize, out: &mut String) -> Result<(), Error> {
        if depth > MAX_DEPTH {
            return Err(Error::new(ErrorKind::BadSerialization, "the value is nested too deeply"));
        }
        match value.kind() {
            ValueKind::None => out.push_str("null"),
            ValueKind::Bool => out.push_str(if value.is_true() { "true" } else { "false" }),
            ValueKind::Number => out.push_str(&number(value)),
            ValueKind::String => self.string(value.as_str().unwrap_or_default(), out),
            ValueKind::Map => {
                let mut entries = Vec::new();
                for key in value.try_iter()? {
                    let item = value.get_item(&key)?;
                    entries.push((json_key(&key)?, item));
                }
                if self.sort_keys {
                    entries.sort_by(|a, b| a.0.cmp(&b.0));
                }
                self.list(entries, ['{', '}'], depth, out, |(key, item), out| {
                    self.string(&key, out);
                    out.push_str(&self.key);
                    self.value(&item, depth + 1, out)
                })?;
            }
            _ if is_list(value) => {
                let items: Vec<Value> = value.try_iter()?.collect();
                self.list(items, ['[', ']'], depth, out, |item, out| self.value(&item, depth + 1, out))?;
            }
            kind => {
                return Err(Error::new(
                    ErrorKind::BadSerialization,
                    format!("a value of type {kind} cannot be written as JSON"),
                ));
            }
        }
        Ok(())
    }

    fn list<T>(
        &self,
        items: Vec<T>,
        [open, close]: [char; 2],
        depth: usize,
        out: &mut String,
        write: impl Fn(T, &mut String) -> Result<(), Error>,
    ) -> Result<(), Error> {
        out.push(open);
        let empty = items.is_empty();
        for (at, item) in items.into_iter().enumerate() {
            if at > 0 {
                out.push_str(&self.item);
            }
            self.line(depth + 1, out);
            write(item, out)?;
        }
        if !empty {
            self.line(depth, out);
        }
        out.push(close);
        Ok(())
    }

    /// Begins a line, if the text is indented at all.
    fn line(&self, depth: usize, out: &mut String) {
        if let Some(indent) = &self.indent {
            out.push('\n');
            (0..depth).for_each(|_| out.push_str(indent));
        }
    }

    fn string(&self, text: &str, out: &mut String) {
        out.push('"');
        for c in text.chars() {
            match c {
                '"' => out.push_str("\\\""),
                '\\' => out.push_str("\\\\"),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                '\u{8}' => out.push_str("\\b"),
                '\u{c}' => out.push_str("\\f"),
                // a mark goes again
                _ if c < ' ' || (self.ascii && !matches!(c, ' '..='~' | GUARD)) => {
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        out.push_str(&format!("\\u{unit:04x}"));
                    }
                }
                _ => out.push(c),
            }
        }
        out.push('"');
    }
}

fn number(value: &Value) -> String {
    if value.is_integer() {
        return value.to_string();
    }
    f64::try_from(value.clone()).map_or_else(|_| value.to_string(), numbers::json_float)
}

/// Keys become text as in Python.
fn json_key(key: &Value) -> Result<String, Error> {
    match key.kind() {
        ValueKind::String => Ok(key.to_string()),
        ValueKind::None => Ok("null".to_owned()),
        ValueKind::Bool => Ok((if key.is_true() { "true" } else { "false" }).to_owned()),
        ValueKind::Number => Ok(number(key)),
        kind => Err(Error::new(
            ErrorKind::BadSerialization,
            format!("a value of type {kind} cannot be a key in JSON"),
        )),
    }
}
