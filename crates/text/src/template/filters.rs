//! Filters whose arguments or results differ from the engine's own.

use minijinja::value::{Kwargs, Tuple, ValueKind};
use minijinja::{Environment, Error, ErrorKind, Value};

use super::print::text;
use super::{strings, tojson};

/// Adds the filters.
pub(super) fn install(environment: &mut Environment<'static>) {
    environment.add_filter("tojson", tojson::tojson);
    environment.add_filter("string", |value: &Value| text(value));
    environment.add_filter("join", join);
    environment.add_filter("items", items);
    environment.add_filter("trim", |value: &Value, chars: Option<&str>| {
        strings::strip(&text(value), chars).to_owned()
    });
    environment.add_filter("default", default);
    environment.add_filter("d", default);
    environment.add_filter("int", int);
    environment.add_filter("float", float);
    environment.add_filter("indent", indent);
    environment.add_filter("replace", replace);
    environment.add_filter("escape", escape);
    environment.add_filter("e", escape);
    environment.add_filter("wordcount", |value: &Value| {
        text(value).split(|c| !strings::is_word(c)).filter(|w| !w.is_empty()).count()
    });
    environment.add_filter("capitalize", |value: &Value| strings::capitalize(&text(value)));
}

/// `items` is forgiving about undefined values.
fn items(value: &Value) -> Result<Value, Error> {
    match value.kind() {
        ValueKind::Undefined => Ok(Value::from(Vec::<Value>::new())),
        ValueKind::Map => pairs(value),
        _ => Err(Error::new(ErrorKind::InvalidOperation, "only a mapping has items")),
    }
}

/// Keys and values of a mapping, as a list of tuples.
pub(super) fn pairs(map: &Value) -> Result<Value, Error> {
    let pair = |key: Value| Ok(Value::from(Tuple::from([key.clone(), map.get_item(&key)?])));
    map.try_iter()?.map(pair).collect::<Result<Vec<_>, Error>>().map(Value::from)
}

/// `join(value, d='', attribute=None)`
fn join(value: &Value, separator: Option<&Value>, options: Kwargs) -> Result<String, Error> {
    let separator = match separator {
        Some(separator) => text(separator),
        None => options.get::<Option<Value>>("d")?.map_or_else(String::new, |d| text(&d)),
    };
    let attribute: Option<String> = options.get("attribute")?;
    options.assert_all_used()?;
    if value.is_undefined() {
        return Ok(String::new());
    }
    let texts = value.try_iter()?.map(|item| match &attribute {
        Some(path) => path.split('.').try_fold(item, |item, name| item.get_attr(name)).map(|v| text(&v)),
        None => Ok(text(&item)),
    });
    Ok(texts.collect::<Result<Vec<_>, Error>>()?.join(&separator))
}

/// `default(value, default_value='', boolean=False)`
fn default(
    value: &Value,
    instead: Option<Value>,
    boolean: Option<bool>,
    options: Kwargs,
) -> Result<Value, Error> {
    let instead = instead.or(options.get("default_value")?).unwrap_or_else(|| Value::from(""));
    let boolean = boolean.or(options.get("boolean")?).unwrap_or(false);
    options.assert_all_used()?;
    let missing = value.is_undefined() || (boolean && !value.is_true());
    Ok(if missing { instead } else { value.clone() })
}

/// `int(value, default=0, base=10)`
fn int(value: &Value, default: Option<Value>, base: Option<u32>, options: Kwargs) -> Result<Value, Error> {
    let default = default.or(options.get("default")?).unwrap_or_else(|| Value::from(0));
    let base = base.or(options.get("base")?).unwrap_or(10);
    options.assert_all_used()?;
    Ok(match value.as_str() {
        Some(digits) => whole(digits.trim(), base).or_else(|| truncated(number(digits)?)).map(Value::from),
        None if value.is_integer() => Some(value.clone()),
        None => to_float(value).and_then(truncated).map(Value::from),
    }
    .unwrap_or(default))
}

/// `float(value, default=0.0)`
fn float(value: &Value, default: Option<Value>, options: Kwargs) -> Result<Value, Error> {
    let default = default.or(options.get("default")?).unwrap_or_else(|| Value::from(0.0));
    options.assert_all_used()?;
    let number = value.as_str().map_or_else(|| to_float(value), number);
    Ok(number.map_or(default, Value::from))
}

/// A number or a truth value as a float.
fn to_float(value: &Value) -> Option<f64> {
    match value.kind() {
        ValueKind::Bool => Some(f64::from(u8::from(value.is_true()))),
        ValueKind::Number => f64::try_from(value.clone()).ok(),
        _ => None,
    }
}

/// `float(text)`
fn number(text: &str) -> Option<f64> {
    text.trim().replace('_', "").parse().ok()
}

/// `int(float)`
fn truncated(number: f64) -> Option<i128> {
    number.is_finite().then_some(number as i128)
}

/// `int(text, base)`, with the prefix of the base where Python takes one.
fn whole(text: &str, base: u32) -> Option<i128> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let prefix = match base {
        2 => "0b",
        8 => "0o",
        16 => "0x",
        _ => "",
    };
    let lower = digits.to_ascii_lowercase().replace('_', "");
    let digits = lower.strip_prefix(prefix).unwrap_or(&lower);
    if !(2..=36).contains(&base) || digits.starts_with(['+', '-']) {
        return None;
    }
    i128::from_str_radix(digits, base).ok().map(|n| sign * n)
}

/// `indent(s, width=4, first=False, blank=False)`
fn indent(
    value: &Value,
    width: Option<Value>,
    first: Option<bool>,
    blank: Option<bool>,
    options: Kwargs,
) -> Result<String, Error> {
    let width = width.or(options.get("width")?).unwrap_or_else(|| Value::from(4));
    let first = first.or(options.get("first")?).unwrap_or(false);
    let blank = blank.or(options.get("blank")?).unwrap_or(false);
    options.assert_all_used()?;
    let indent = match width.as_str() {
        Some(indent) => indent.to_owned(),
        None => " ".repeat(width.as_usize().unwrap_or(0).min(1000)),
    };
    let mut out = String::new();
    let whole = text(value) + "\n";
    for (at, line) in strings::lines(&whole, strings::LineEnds::Drop).into_iter().enumerate() {
        if at > 0 {
            out.push('\n');
        }
        if if at == 0 { first } else { blank || !line.is_empty() } {
            out.push_str(&indent);
        }
        out.push_str(line);
    }
    Ok(out)
}

/// `replace(s, old, new, count=-1)`
fn replace(value: &Value, old: &Value, new: &Value, count: Option<i64>) -> String {
    let (value, old, new) = (text(value), text(old), text(new));
    match count.and_then(|n| usize::try_from(n).ok()) {
        Some(count) => value.replacen(&old, &new, count),
        None => value.replace(&old, &new),
    }
}

/// `escape(s)`, which spells quotes otherwise than the engine.
fn escape(value: &Value) -> String {
    let mut out = String::new();
    for c in text(value).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&#34;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(c),
        }
    }
    out
}
