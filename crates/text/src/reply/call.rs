//! The inside of `<tool_call>…</tool_call>`.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// A call of a tool.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) name: String,
    /// A JSON object as text.
    pub(super) arguments: String,
}

/// What the text up to a closing tag is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Parsed {
    Call(Call),
    /// The text ends inside a value, so the closing tag is a part of that value.
    Unfinished,
    Malformed,
}

/// Reads a call in either form.
pub(super) fn parse(text: &str, tools: &[Value]) -> Parsed {
    if text.trim_start().starts_with("<function=") { xml(text.trim(), tools) } else { json(text) }
}

#[derive(Deserialize)]
struct Hermes<'a> {
    name: String,
    #[serde(borrow)]
    arguments: Option<&'a RawValue>,
}

/// `{"name": …, "arguments": {…}}`. The arguments keep the model's own spelling.
fn json(text: &str) -> Parsed {
    let Ok(call) = serde_json::from_str::<Hermes<'_>>(text) else {
        return if ends_in_string(text) { Parsed::Unfinished } else { Parsed::Malformed };
    };
    let arguments = match call.arguments.map(RawValue::get) {
        None | Some("null") => "{}".to_owned(),
        // Some models write the object as a text that holds JSON.
        Some(text) if text.starts_with('"') => match serde_json::from_str::<String>(text) {
            Ok(inner) if serde_json::from_str::<Map<String, Value>>(&inner).is_ok() => inner,
            _ => return Parsed::Malformed,
        },
        Some(text) if text.starts_with('{') => text.to_owned(),
        Some(_) => return Parsed::Malformed,
    };
    Parsed::Call(Call { name: call.name, arguments })
}

/// Whether JSON text breaks off inside a string.
fn ends_in_string(text: &str) -> bool {
    let (mut inside, mut escaped) = (false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if inside => escaped = true,
            b'"' => inside = !inside,
            _ => {}
        }
    }
    inside
}

const PARAMETER: &str = "<parameter=";
const END_PARAMETER: &str = "</parameter>";
const END_FUNCTION: &str = "</function>";

/// `<function=NAME><parameter=KEY>VALUE</parameter>…</function>`
fn xml(text: &str, tools: &[Value]) -> Parsed {
    let Some((name, mut rest)) = text.strip_prefix("<function=").and_then(|t| t.split_once('>')) else {
        return Parsed::Malformed;
    };
    let name = name.trim();
    if name.is_empty() || name.contains('<') {
        return Parsed::Malformed;
    }
    let types = parameter_types(name, tools);
    let mut arguments = Map::new();
    loop {
        rest = rest.trim_start();
        let Some(parameter) = rest.strip_prefix(PARAMETER) else {
            break;
        };
        let Some((key, tail)) = parameter.split_once('>') else {
            return Parsed::Malformed;
        };
        let Some(end) = end_of_value(tail) else {
            return Parsed::Unfinished;
        };
        // One line break on either side belongs to the tags.
        let raw = tail[..end].strip_prefix('\n').unwrap_or(&tail[..end]);
        let raw = raw.strip_suffix('\n').unwrap_or(raw);
        let key = key.trim();
        arguments.insert(key.to_owned(), typed(raw, types.and_then(|t| t.get(key)), tools));
        rest = tail[end..].strip_prefix(END_PARAMETER).unwrap_or(&tail[end..]);
    }
    if !rest.is_empty() && rest != END_FUNCTION {
        return Parsed::Malformed;
    }
    Parsed::Call(Call { name: name.to_owned(), arguments: Value::Object(arguments).to_string() })
}

/// Where a value ends: at the closing tag after which the call goes on or ends, so that a value may
/// hold such tags itself. Models sometimes forget the tag before the next one.
fn end_of_value(text: &str) -> Option<usize> {
    let goes_on = |rest: &str| {
        let rest = rest.trim_start();
        rest.is_empty() || rest.starts_with(PARAMETER) || rest.trim_end() == END_FUNCTION
    };
    let closed = text
        .match_indices(END_PARAMETER)
        .find(|(at, tag)| goes_on(&text[at + tag.len()..]))
        .map(|(at, _)| at);
    closed.or_else(|| {
        let body = text.strip_suffix(END_FUNCTION)?;
        Some(body.find(&format!("\n{PARAMETER}")).map_or(body.len(), |at| at + 1))
    })
}

/// The declared properties of a tool's parameters.
fn parameter_types<'t>(name: &str, tools: &'t [Value]) -> Option<&'t Map<String, Value>> {
    tools
        .iter()
        .map(|tool| tool.get("function").unwrap_or(tool))
        .find(|function| function["name"] == name)?
        .pointer("/parameters/properties")?
        .as_object()
}

/// A raw value as JSON. Without a declaration what reads as JSON is taken as such; with one, only
/// what fits, and a text otherwise: a wrong guess must not lose what the model wrote.
fn typed(raw: &str, declared: Option<&Value>, tools: &[Value]) -> Value {
    let text = || Value::String(raw.to_owned());
    let value: Option<Value> = match raw.trim() {
        // Models trained on Python write these too.
        "True" => Some(Value::Bool(true)),
        "False" => Some(Value::Bool(false)),
        "None" => Some(Value::Null),
        trimmed => serde_json::from_str(trimmed).ok(),
    };
    let Some(value) = value else { return text() };
    let Some(declared) = declared else {
        // The tool is known, its parameter is not, or nothing is known at all.
        return if value.is_string() || !tools.is_empty() { text() } else { value };
    };
    let fits = |kind: &str| match kind {
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    };
    let kinds: Vec<&str> = match (&declared["type"], &declared["anyOf"]) {
        (Value::String(kind), _) => vec![kind],
        (Value::Array(kinds), _) => kinds.iter().filter_map(Value::as_str).collect(),
        (_, Value::Array(options)) => options.iter().filter_map(|o| o["type"].as_str()).collect(),
        _ => return if value.is_string() { text() } else { value },
    };
    if kinds.into_iter().any(fits) { value } else { text() }
}
