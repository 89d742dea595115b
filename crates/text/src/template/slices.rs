//! Slices as Python takes them. The engine's own panic at `''[::-1]` and stop at the wrong item
//! where the step is negative, and no callback can replace an operator: so `x[a:b:c]` is rewritten
//! to a call of a method before the engine reads the template.

use minijinja::value::{Tuple, ValueKind, from_args};
use minijinja::{Error, ErrorKind, Value};

use super::is_list;

/// Name of the method that slices become.
pub(super) const METHOD: &str = "__slice__";

/// Rewrites all slices of a template.
pub(super) fn rewrite(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(at) = rest.find("{%").into_iter().chain(rest.find("{{")).chain(rest.find("{#")).min() {
        let (before, tag) = rest.split_at(at);
        out.push_str(before);
        let length = if tag.starts_with("{#") {
            tag.find("#}").map_or(tag.len(), |end| end + 2)
        } else if is_block(tag, "raw") {
            // Up to the tag that ends it; what lies between is text.
            let ends = tag.match_indices("{%").map(|(at, _)| at);
            ends.into_iter().find(|&at| is_block(&tag[at..], "endraw")).unwrap_or(tag.len())
        } else {
            let close = if tag.starts_with("{%") { "%}" } else { "}}" };
            rewrite_tag(tag, close, &mut out)
        };
        if tag.starts_with("{#") || is_block(tag, "raw") {
            out.push_str(&tag[..length]);
        }
        rest = &tag[length..];
    }
    out + rest
}

fn is_block(tag: &str, name: &str) -> bool {
    let inside = tag.strip_prefix("{%").map(|tag| tag.trim_start_matches(['-', '+']).trim_start());
    inside
        .and_then(|tag| tag.strip_prefix(name))
        .is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric()))
}

/// A bracket that is still open.
struct Open {
    bracket: char,
    /// Where it stands in the output.
    at: usize,
    /// Where its colons stand in the output.
    colons: Vec<usize>,
}

/// Writes one tag, with its slices rewritten; returns its length.
fn rewrite_tag(tag: &str, close: &str, out: &mut String) -> usize {
    let mut open: Vec<Open> = Vec::new();
    let mut quote = None;
    let mut escaped = false;
    for (at, c) in tag.char_indices() {
        if let Some(ended_by) = quote {
            out.push(c);
            if escaped {
                escaped = false;
            } else if c == '\\' {
                escaped = true;
            } else if c == ended_by {
                quote = None;
            }
            continue;
        }
        if at >= 2 && open.is_empty() && tag[at..].starts_with(close) {
            out.push_str(close);
            return at + close.len();
        }
        match c {
            '\'' | '"' => quote = Some(c),
            // The tag's own two braces are none of these.
            '[' | '(' | '{' if at >= 2 => open.push(Open { bracket: c, at: out.len(), colons: vec![] }),
            ':' => {
                if let Some(Open { bracket: '[', colons, .. }) = open.last_mut() {
                    colons.push(out.len());
                }
            }
            ']' | ')' | '}' => {
                if let Some(Open { at, colons, .. }) = open.pop()
                    && !colons.is_empty()
                    && c == ']'
                {
                    let inside = out.split_off(at);
                    let cuts: Vec<usize> = colons.iter().map(|colon| colon - at).collect();
                    let starts = std::iter::once(1).chain(cuts.iter().map(|cut| cut + 1));
                    let ends = cuts.iter().copied().chain([inside.len()]);
                    let part = |(from, to): (usize, usize)| match inside[from..to].trim() {
                        "" => "none".to_owned(),
                        part => part.to_owned(),
                    };
                    let parts: Vec<String> = starts.zip(ends).map(part).collect();
                    out.push_str(&format!(".{METHOD}({})", parts.join(", ")));
                    continue;
                }
            }
            _ => {}
        }
        out.push(c);
    }
    tag.len()
}

/// `value[start:stop:step]`
pub(super) fn slice(value: &Value, args: &[Value]) -> Result<Value, Error> {
    let (start, stop, step): (Option<i64>, Option<i64>, Option<i64>) = from_args(args)?;
    let step = step.unwrap_or(1);
    if step == 0 {
        return Err(Error::new(ErrorKind::InvalidOperation, "slice step cannot be zero"));
    }
    let cut = |length: usize| indices(length as i64, start, stop, step);
    if let Some(text) = value.as_str() {
        let chars: Vec<char> = text.chars().collect();
        return Ok(cut(chars.len()).filter_map(|at| chars.get(at)).collect::<String>().into());
    }
    if !is_list(value) {
        let kind = if value.kind() == ValueKind::Undefined {
            ErrorKind::UndefinedError
        } else {
            ErrorKind::InvalidOperation
        };
        return Err(Error::new(kind, format!("a value of type {} cannot be sliced", value.kind())));
    }
    let items: Vec<Value> = value.try_iter()?.collect();
    let items: Vec<Value> = cut(items.len()).filter_map(|at| items.get(at)).cloned().collect();
    Ok(if value.is_tuple() { Value::from(Tuple::from(items)) } else { Value::from(items) })
}

/// The places that a slice takes, as `slice.indices` of Python gives them.
fn indices(length: i64, start: Option<i64>, stop: Option<i64>, step: i64) -> impl Iterator<Item = usize> {
    let (least, most) = if step > 0 { (0, length) } else { (-1, length - 1) };
    let bound = |at: i64| if at < 0 { (at.saturating_add(length)).max(least) } else { at.min(most) };
    let (first, end) = if step > 0 { (least, most) } else { (most, least) };
    let (first, end) = (start.map_or(first, bound), stop.map_or(end, bound));
    std::iter::successors(Some(first), move |at| at.checked_add(step))
        .take_while(move |&at| if step > 0 { at < end } else { at > end })
        .filter_map(|at| usize::try_from(at).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_are_found_where_they_are() {
        for (source, rewritten) in [
            ("{{ a[1:] }}", "{{ a.__slice__(1, none) }}"),
            ("{%- for m in ms[::-1] -%}", "{%- for m in ms.__slice__(none, none, -1) -%}"),
            ("{{ a[b[0]:c[:2][1]]['x:y'] }}", "{{ a.__slice__(b[0], c.__slice__(none, 2)[1])['x:y'] }}"),
            ("{{ f({'a': [1, 2]}, {1: {2: 3}}) }}", "{{ f({'a': [1, 2]}, {1: {2: 3}}) }}"),
            ("{{ '}} [1:]' ~ \"\\\"[:]\" }} [1:]", "{{ '}} [1:]' ~ \"\\\"[:]\" }} [1:]"),
            (
                "{# a[1:] #}{% raw %}{{ a[1:] }}{% endraw %}{{a[:1]}}",
                "{# a[1:] #}{% raw %}{{ a[1:] }}{% endraw %}{{a.__slice__(none, 1)}}",
            ),
            ("{{ a[1: ", "{{ a[1: "),
            ("{{ {'k': 1}}}", "{{ {'k': 1}}}"),
            ("text ] : [ {{ x]:[ }}", "text ] : [ {{ x]:[ }}"),
        ] {
            assert_eq!(rewrite(source), rewritten);
        }
    }

    #[test]
    fn indices_are_those_of_python() {
        let all = |length, start, stop, step| indices(length, start, stop, step).collect::<Vec<_>>();
        assert_eq!(all(0, None, None, -1), [0_usize; 0]);
        assert_eq!(all(3, None, None, -1), [2, 1, 0]);
        assert_eq!(all(3, None, Some(0), -1), [2, 1]);
        assert_eq!(all(5, Some(-2), Some(-9), -2), [3, 1]);
        assert_eq!(all(5, Some(-9), Some(99), 2), [0, 2, 4]);
        assert_eq!(all(5, Some(4), Some(1), 1), [0_usize; 0]);
        assert_eq!(all(2, Some(i64::MIN), Some(i64::MAX), i64::MAX), [0]);
    }
}
