//! The methods of Python's `str`.

use minijinja::formatting::{FormatStyle, format};
use minijinja::value::{Kwargs, Tuple, from_args};
use minijinja::{Error, ErrorKind, Value};
use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory};

use super::is_list;

fn wrong(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOperation, message.into())
}

/// `str.isspace` of one character: Unicode's white space and four old separators.
fn is_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{1c}'..='\u{1f}')
}

/// `text.strip(chars)`
pub(super) fn strip<'t>(text: &'t str, chars: Option<&str>) -> &'t str {
    match chars {
        Some(chars) => text.trim_matches(|c| chars.contains(c)),
        None => text.trim_matches(is_space),
    }
}

/// Calls a method of a text.
pub(super) fn call_method(text: &str, method: &str, args: &[Value]) -> Result<Value, Error> {
    let plain = || from_args::<()>(args);
    Ok(match method {
        "strip" => {
            let (chars,): (Option<&str>,) = from_args(args)?;
            strip(text, chars).into()
        }
        "lstrip" => {
            let (chars,): (Option<&str>,) = from_args(args)?;
            match chars {
                Some(chars) => text.trim_start_matches(|c| chars.contains(c)),
                None => text.trim_start_matches(is_space),
            }
            .into()
        }
        "rstrip" => {
            let (chars,): (Option<&str>,) = from_args(args)?;
            match chars {
                Some(chars) => text.trim_end_matches(|c| chars.contains(c)),
                None => text.trim_end_matches(is_space),
            }
            .into()
        }
        "split" | "rsplit" => {
            let (separator, limit, options): (Option<&Value>, Option<i64>, Kwargs) = from_args(args)?;
            let separator = separator.cloned().or(options.get("sep")?).filter(|v| !v.is_none());
            let limit = limit.or(options.get("maxsplit")?);
            options.assert_all_used()?;
            let limit = limit.and_then(|n| usize::try_from(n).ok()).unwrap_or(usize::MAX);
            let parts = match (separator.as_ref().map(|s| s.as_str()), method) {
                (Some(None), _) => return Err(wrong("split needs a text as separator")),
                (Some(Some("")), _) => return Err(wrong("empty separator")),
                (Some(Some(by)), "split") => text.splitn(limit.saturating_add(1), by).collect(),
                (Some(Some(by)), _) => reversed(text.rsplitn(limit.saturating_add(1), by).collect()),
                (None, "split") => split_at_space(text, limit),
                (None, _) => rsplit_at_space(text, limit),
            };
            list(parts)
        }
        "splitlines" => {
            let (keep, options): (Option<bool>, Kwargs) = from_args(args)?;
            let keep = keep.or(options.get("keepends")?).unwrap_or(false);
            options.assert_all_used()?;
            list(lines(text, if keep { LineEnds::Keep } else { LineEnds::Drop }))
        }
        "partition" | "rpartition" => {
            let (separator,): (&str,) = from_args(args)?;
            let (cut, rest) = match method {
                "partition" => (text.split_once(separator), [text, "", ""]),
                _ => (text.rsplit_once(separator), ["", "", text]),
            };
            let parts = cut.map_or(rest, |(before, after)| [before, separator, after]);
            Value::from(Tuple::from(parts.map(Value::from)))
        }
        "startswith" => affix(args, |affix| text.starts_with(affix))?,
        "endswith" => affix(args, |affix| text.ends_with(affix))?,
        "removeprefix" => {
            let (prefix,): (&str,) = from_args(args)?;
            text.strip_prefix(prefix).unwrap_or(text).into()
        }
        "removesuffix" => {
            let (suffix,): (&str,) = from_args(args)?;
            text.strip_suffix(suffix).unwrap_or(text).into()
        }
        "find" | "rfind" | "index" | "rindex" | "count" => search(text, method, args)?,
        "replace" => {
            let (old, new, count): (&str, &str, Option<i64>) = from_args(args)?;
            match count.and_then(|n| usize::try_from(n).ok()) {
                Some(count) => text.replacen(old, new, count),
                None => text.replace(old, new),
            }
            .into()
        }
        "join" => {
            let (items,): (&Value,) = from_args(args)?;
            let item = |item: Value| item.to_str().ok_or_else(|| wrong("join needs texts"));
            let texts = items.try_iter()?.map(item).collect::<Result<Vec<_>, _>>()?;
            texts.join(text).into()
        }
        "upper" => plain().map(|()| text.to_uppercase())?.into(),
        "lower" | "casefold" => plain().map(|()| text.to_lowercase())?.into(),
        "title" => plain().map(|()| title(text))?.into(),
        "capitalize" => plain().map(|()| capitalize(text))?.into(),
        "swapcase" => plain().map(|()| swapcase(text))?.into(),
        "isspace" => plain().map(|()| all(text, is_space))?.into(),
        "isalpha" => plain().map(|()| all(text, is_letter))?.into(),
        "isalnum" => plain().map(|()| all(text, |c| is_letter(c) || is_numeric(c)))?.into(),
        "isnumeric" => plain().map(|()| all(text, is_numeric))?.into(),
        "isdecimal" => plain().map(|()| all(text, is_decimal))?.into(),
        "isdigit" => plain().map(|()| all(text, is_digit))?.into(),
        "isascii" => plain().map(|()| text.is_ascii())?.into(),
        "isupper" => plain()
            .map(|()| text.chars().any(char::is_uppercase) && !text.chars().any(char::is_lowercase))?
            .into(),
        "islower" => plain()
            .map(|()| text.chars().any(char::is_lowercase) && !text.chars().any(char::is_uppercase))?
            .into(),
        "zfill" => {
            let (width,): (usize,) = from_args(args)?;
            let (sign, digits) = match text.strip_prefix(['+', '-']) {
                Some(digits) => text.split_at(text.len() - digits.len()),
                None => ("", text),
            };
            let zeros = padding(width, text, '0')?;
            format!("{sign}{zeros}{digits}").into()
        }
        "ljust" | "rjust" | "center" => {
            let (width, fill): (usize, Option<char>) = from_args(args)?;
            let fill = padding(width, text, fill.unwrap_or(' '))?;
            let count = fill.chars().count();
            let left = match method {
                "ljust" => 0,
                "rjust" => count,
                // Python puts the odd one left of a text whose width is odd.
                _ => count / 2 + (count & width & 1),
            };
            let at = fill.char_indices().nth(left).map_or(fill.len(), |(at, _)| at);
            format!("{}{text}{}", &fill[..at], &fill[at..]).into()
        }
        "format" => format(FormatStyle::StrFormat, text, args)?.into(),
        _ => return Err(Error::from(ErrorKind::UnknownMethod)),
    })
}

fn list(parts: Vec<&str>) -> Value {
    Value::from(parts.into_iter().map(Value::from).collect::<Vec<_>>())
}

fn reversed(mut parts: Vec<&str>) -> Vec<&str> {
    parts.reverse();
    parts
}

/// `text.split(None, limit)`: runs of white space separate, at most `limit` times.
fn split_at_space(text: &str, limit: usize) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = text.trim_start_matches(is_space);
    while !rest.is_empty() {
        if parts.len() == limit {
            parts.push(rest);
            break;
        }
        let end = rest.find(is_space).unwrap_or(rest.len());
        parts.push(&rest[..end]);
        rest = rest[end..].trim_start_matches(is_space);
    }
    parts
}

/// The same from the right.
fn rsplit_at_space(text: &str, limit: usize) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = text.trim_end_matches(is_space);
    while !rest.is_empty() {
        if parts.len() == limit {
            parts.push(rest);
            break;
        }
        let last_space = rest.char_indices().rev().find(|&(_, c)| is_space(c));
        let start = last_space.map_or(0, |(at, c)| at + c.len_utf8());
        parts.push(&rest[start..]);
        rest = rest[..start].trim_end_matches(is_space);
    }
    reversed(parts)
}

/// What happens to the ends of lines.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum LineEnds {
    Keep,
    Drop,
}

/// `text.splitlines(ends)`
pub(super) fn lines(text: &str, ends: LineEnds) -> Vec<&str> {
    let ends_line = |c| matches!(c, '\n'..='\r' | '\u{1c}'..='\u{1e}' | '\u{85}' | '\u{2028}' | '\u{2029}');
    let mut parts = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(ends_line).unwrap_or(rest.len());
        let break_length = match &rest[end..] {
            after if after.starts_with("\r\n") => 2,
            after => after.chars().next().map_or(0, char::len_utf8),
        };
        let shown = if ends == LineEnds::Keep { end + break_length } else { end };
        parts.push(&rest[..shown]);
        rest = &rest[end + break_length..];
    }
    parts
}

/// `startswith` and `endswith` take one text or a tuple of texts.
fn affix(args: &[Value], test: impl Fn(&str) -> bool) -> Result<Value, Error> {
    let (wanted,): (&Value,) = from_args(args)?;
    let texts: Vec<Value> = match wanted.as_str() {
        Some(_) => vec![wanted.clone()],
        None if is_list(wanted) => wanted.try_iter()?.collect(),
        None => {
            return Err(wrong("startswith and endswith need a text or a tuple of texts"));
        }
    };
    Ok(Value::from(texts.iter().filter_map(Value::as_str).any(test)))
}

/// `find`, `rfind`, `index`, `rindex` and `count`, with optional bounds in characters.
fn search(text: &str, method: &str, args: &[Value]) -> Result<Value, Error> {
    let (wanted, start, end): (&str, Option<i64>, Option<i64>) = from_args(args)?;
    let length = text.chars().count() as i64;
    let bound = |at: i64| (if at < 0 { (at + length).max(0) } else { at.min(length) }) as usize;
    let (start, end) = (bound(start.unwrap_or(0)), bound(end.unwrap_or(length)));
    let byte = |at: usize| text.char_indices().nth(at).map_or(text.len(), |(byte, _)| byte);
    let part = &text[byte(start)..byte(end.max(start))];
    if method == "count" {
        return Ok(Value::from(part.matches(wanted).count()));
    }
    let found = if method.starts_with('r') { part.rfind(wanted) } else { part.find(wanted) };
    match found {
        Some(at) => Ok(Value::from(start + part[..at].chars().count())),
        None if method.ends_with("find") => Ok(Value::from(-1)),
        None => Err(wrong("substring not found")),
    }
}

fn all(text: &str, test: impl Fn(char) -> bool) -> bool {
    !text.is_empty() && text.chars().all(test)
}

fn is_letter(c: char) -> bool {
    c.general_category_group() == GeneralCategoryGroup::Letter
}

fn is_decimal(c: char) -> bool {
    c.general_category() == GeneralCategory::DecimalNumber
}

/// Decimal digits and the superscript and circled ones that count as digits.
fn is_digit(c: char) -> bool {
    is_decimal(c)
        || matches!(c, '²' | '³' | '¹' | '⁰' | '⁴'..='⁹' | '₀'..='₉' | '①'..='⑨' | '⑴'..='⑼' | '⒈'..='⒐' | '⓪' | '⓵'..='⓽' | '⓿' | '❶'..='❾' | '➀'..='➈' | '➊'..='➒')
}

fn is_numeric(c: char) -> bool {
    c.general_category_group() == GeneralCategoryGroup::Number
}

/// Every run of letters begins with a capital.
fn title(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut inside = false;
    for c in text.chars() {
        if inside {
            out.extend(c.to_lowercase());
        } else {
            out.push_str(&capital(c));
        }
        inside = c.is_uppercase() || c.is_lowercase();
    }
    out
}

/// `text.capitalize()`
pub(super) fn capitalize(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(capital).unwrap_or_default();
    first + &chars.as_str().to_lowercase()
}

/// A character as it begins a word: of a ligature only the first letter is a capital, some digraphs
/// have a form of their own, and Georgian has none.
fn capital(c: char) -> String {
    match c {
        'Ǆ'..='ǆ' => "ǅ".to_owned(),
        'Ǉ'..='ǉ' => "ǈ".to_owned(),
        'Ǌ'..='ǌ' => "ǋ".to_owned(),
        'Ǳ'..='ǳ' => "ǲ".to_owned(),
        'ა'..='ჿ' => c.to_string(),
        _ => {
            let mut letters = c.to_uppercase();
            let first = letters.next().unwrap_or(c);
            let rest: String = letters.collect();
            let rest = if first.is_uppercase() { rest.to_lowercase() } else { rest };
            format!("{first}{rest}")
        }
    }
}

/// `\w` of Python's regular expressions, to which combining marks do not belong.
pub(super) fn is_word(c: char) -> bool {
    is_letter(c) || is_numeric(c) || c == '_'
}

fn swapcase(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_uppercase() {
            out.extend(c.to_lowercase());
        } else {
            out.extend(c.to_uppercase());
        }
    }
    out
}

/// What `text` lacks to be `width` characters wide.
fn padding(width: usize, text: &str, fill: char) -> Result<String, Error> {
    const LIMIT: usize = 1 << 20;
    if width > LIMIT {
        return Err(wrong("a padded text would be too long"));
    }
    let missing = width.saturating_sub(text.chars().count());
    Ok(std::iter::repeat_n(fill, missing).collect())
}
