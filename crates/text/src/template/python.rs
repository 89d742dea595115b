//! What templates expect of Python and the engine does differently: the methods of `dict` and `list`,
//! two tests, and the functions of transformers.

use minijinja::value::{Rest, ValueKind, from_args};
use minijinja::{Environment, Error, ErrorKind, Output, State, Value};
use serde_json::Value as Json;

use super::filters::{self, pairs};
use super::print::text;
use super::{clock, is_list, slices, strings};

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
