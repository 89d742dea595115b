//! What templates expect of Python and the engine does differently: how values print, the methods
//! of `dict` and `list`, two tests, and the functions of transformers.

use minijinja::value::{Rest, ValueKind, from_args};
use minijinja::{Environment, Error, ErrorKind, Output, State, Value};
use serde_json::Value as Json;
use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory};

use super::filters::{self, pairs};
use super::{clock, is_list, numbers, slices, strings};

/// How deeply values that are printed may be nested; a template can nest them without end.
pub(super) const MAX_DEPTH: usize = 500;

/// The source of errors that a template raises itself.
#[derive(Debug)]
pub(super) struct Raised(pub(super) String);

impl std::fmt::Display for Raised {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Raised {}

/// Makes an environment behave as the one of transformers.
pub(super) fn install(environment: &mut Environment<'static>) {
    environment.set_formatter(print);
    environment.set_unknown_method_callback(call_method);
    filters::install(environment);
    environment.add_test("sequence", is_sequence);
    environment.add_test("iterable", |value: &Value| !value.is_none() && value.try_iter().is_ok());
    environment.add_function("raise_exception", raise_exception);
    environment.add_function("strftime_now", |format: &str| clock::now().format(format));
}

/// A JSON value as the engine keeps it, with keys in their order.
pub(super) fn value_of(json: &Json) -> Value {
    match json {
        Json::Null => Value::from(()),
        Json::Bool(flag) => Value::from(*flag),
        Json::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(n), ..) => Value::from(n),
            (_, Some(n), _) => Value::from(n),
            (.., n) => Value::from(n.unwrap_or(f64::NAN)),
        },
        Json::String(text) => Value::from(text.as_str()),
        Json::Array(items) => Value::from(items.iter().map(value_of).collect::<Vec<_>>()),
        Json::Object(map) => {
            Value::from_pairs(map.iter().map(|(key, value)| (key.as_str(), value_of(value))))
        }
    }
}

fn raise_exception(message: &Value) -> Result<Value, Error> {
    let message = text(message);
    Err(Error::new(ErrorKind::InvalidOperation, message.clone()).with_source(Raised(message)))
}

/// Prints what `{{ … }}` holds.
fn print(out: &mut Output, _: &mut State, value: &Value) -> Result<(), Error> {
    match value.as_str() {
        Some(text) => out.write_str(text)?,
        None => out.write_str(&text(value))?,
    }
    Ok(())
}

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
            _ if is_printable(c) => out.push(c),
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

/// Jinja asks for a length and for items by index; texts and dictionaries have both.
fn is_sequence(value: &Value) -> bool {
    is_list(value) || matches!(value.kind(), ValueKind::String | ValueKind::Map | ValueKind::Undefined)
}

/// Methods of Python's types. What would change a value is missing: the sandbox forbids it too.
fn call_method(_: &mut State, value: &Value, method: &str, args: &[Value]) -> Result<Value, Error> {
    if method == slices::METHOD {
        return slices::slice(value, args);
    }
    if let Some(text) = value.as_str() {
        return strings::call_method(text, method, args);
    }
    match (value.kind(), method) {
        (ValueKind::Map, "items") => from_args::<()>(args).and_then(|()| pairs(value)),
        (ValueKind::Map, "keys") => {
            let () = from_args(args)?;
            Ok(value.try_iter()?.collect::<Vec<_>>().into())
        }
        (ValueKind::Map, "values") => {
            let () = from_args(args)?;
            let values = value.try_iter()?.map(|key| value.get_item(&key));
            Ok(values.collect::<Result<Vec<_>, Error>>()?.into())
        }
        (ValueKind::Map, "get") => {
            let (key, default): (&Value, Option<&Value>) = from_args(args)?;
            let found = value.get_item(key)?;
            Ok(if found.is_undefined() { default.cloned().unwrap_or(Value::from(())) } else { found })
        }
        (ValueKind::Map | ValueKind::Seq, "copy") => from_args::<()>(args).map(|()| value.clone()),
        (ValueKind::Seq | ValueKind::Iterable, "count") => {
            let (wanted,): (&Value,) = from_args(args)?;
            Ok(value.try_iter()?.filter(|item| item == wanted).count().into())
        }
        (ValueKind::Seq | ValueKind::Iterable, "index") => {
            let (wanted, _rest): (&Value, Rest<Value>) = from_args(args)?;
            value.try_iter()?.position(|item| item == *wanted).map(Value::from).ok_or_else(|| {
                Error::new(ErrorKind::InvalidOperation, format!("{} is not in list", text(wanted)))
            })
        }
        _ => Err(Error::from(ErrorKind::UnknownMethod)),
    }
}
