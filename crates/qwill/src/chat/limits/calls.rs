//! Grammars of tool calls: `<tool_call>` with JSON inside, or with a tag for each parameter as Qwen3-Coder and Qwen3.5 write them.

use qwill_grammar::{Grammar, for_lark};
use qwill_text::Tokenizer;
use serde_json::{Value, json};

use super::Wanted;
use super::texts::{self, Texts};
use crate::chat::ToolChoice;
use crate::{ChatRequest, Error};

const CALL: &str = "<tool_call>";
const END_CALL: &str = "</tool_call>";

/// A tool as far as its calls depend on it.
struct Signature<'t> {
    name: &'t str,
    parameters: Value,
    is_strict: bool,
}

fn signature(tool: &Value) -> Option<Signature<'_>> {
    let function = tool.get("function").unwrap_or(tool);
    let parameters = function.get("parameters").filter(|parameters| parameters.is_object());
    Some(Signature {
        name: function.get("name")?.as_str()?,
        parameters: parameters.cloned().unwrap_or_else(|| json!({"type": "object"})),
        is_strict: function.get("strict").and_then(Value::as_bool).unwrap_or(false),
    })
}

/// How the calls of a reply to a request are limited, if they are. `text` is what the reply must follow where it calls nothing, in
/// Lark; absent: its text is free.
pub(super) fn limited(
    request: &ChatRequest,
    tools: &[Value],
    choice: &ToolChoice,
    text: Option<&str>,
    template: impl FnOnce() -> Result<Option<String>, Error>,
    tokenizer: &Tokenizer,
) -> Result<Option<Wanted>, Error> {
    let all: Vec<Signature<'_>> = tools.iter().filter_map(signature).collect();
    let must_call = matches!(choice, ToolChoice::Required | ToolChoice::Named(_));
    let is_limited = must_call
        || text.is_some()
        || request.parallel_tool_calls == Some(false) && !all.is_empty()
        || all.iter().any(|tool| tool.is_strict);
    if !is_limited || *choice == ToolChoice::None {
        return Ok(None);
    }
    let names = || all.iter().map(|tool| tool.name).collect::<Vec<_>>().join(", ");
    if all.is_empty() {
        return Err(Error::Request("tool_choice asks for a call, but the request has no tools".into()));
    }
    let chosen: Vec<&Signature<'_>> = match choice {
        ToolChoice::Named(name) => all.iter().filter(|tool| tool.name == name).collect(),
        _ => all.iter().collect(),
    };
    if chosen.is_empty() {
        let ToolChoice::Named(name) = choice else { return Ok(None) };
        return Err(Error::Request(format!(
            "tool_choice names \"{name}\", which is not among the tools: {}",
            names()
        )));
    }
    let Some(template) = template()?.filter(|template| template.contains(CALL)) else {
        return Err(Error::Request(
            "calls of tools cannot be limited with this model: its chat template has no <tool_call>".into(),
        ));
    };
    let bodies: Vec<String> = match template.contains("<function=") {
        true => {
            chosen.iter().enumerate().map(|(index, tool)| xml_body(tool, index)).collect::<Result<_, _>>()?
        }
        false => vec![json_body(&chosen)?],
    };
    let begin = tokenizer.id_of(CALL);
    let tag = |name: &str| match tokenizer.id_of(name) {
        Some(_) => name.to_owned(),
        None => Value::from(name).to_string(),
    };
    let is_single = request.parallel_tool_calls == Some(false) || matches!(choice, ToolChoice::Named(_));
    let mut rules = String::new();
    let mut alternatives = Vec::new();
    for (index, body) in bodies.iter().enumerate() {
        rules += &format!("body_{index}: {body}\n");
        alternatives.push(format!("body_{index}"));
    }
    rules += &format!("body: {}\n", alternatives.join(" | "));
    let rest = format!("\"\\n\" body \"\\n\" {}", tag(END_CALL));
    if !must_call && text.is_none() {
        let Some(begin) = begin else {
            return Err(Error::Request(
                "calls of tools cannot be limited with this model: <tool_call> is no token of its own".into(),
            ));
        };
        let most = if is_single { 1 } else { usize::MAX };
        let grammar = Grammar::Lark(format!("start: {rest}\n{rules}"));
        return Ok(Some(Wanted { grammar, begin: Some(begin), most }));
    }
    let more = if is_single { "" } else { " (\"\\n\" call)*" };
    let (or_text, text) = match text {
        Some(text) => ("text | ", format!("text: {text}\n")),
        None => ("", String::new()),
    };
    let grammar = Grammar::Lark(format!(
        "start: {or_text}calls\ncalls: call{more}\ncall: {} {rest}\n{text}{rules}",
        tag(CALL)
    ));
    Ok(Some(Wanted { grammar, begin: None, most: usize::MAX }))
}

/// `{"name": …, "arguments": …}` of one of the tools.
fn json_body(tools: &[&Signature<'_>]) -> Result<String, Error> {
    let one = |tool: &&Signature<'_>| {
        json!({
            "type": "object",
            "properties": {"name": {"const": tool.name}, "arguments": tool.parameters},
            "required": ["name", "arguments"],
            "additionalProperties": false,
        })
    };
    let mut options: Vec<Value> = tools.iter().map(one).collect();
    let schema = if options.len() == 1 { options.remove(0) } else { json!({"anyOf": options}) };
    Ok(format!("%json {}", for_lark(&schema)?))
}

/// `<function=…>` with its parameters in the order of their declaration, each at most once, those that are required always.
fn xml_body(tool: &Signature<'_>, body_index: usize) -> Result<String, Error> {
    let properties =
        tool.parameters.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
    let required: Vec<&str> = tool
        .parameters
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let mut body = quoted(&format!("<function={}>\n", tool.name));
    let mut rules = String::new();
    for (index, (key, schema)) in properties.iter().enumerate() {
        let rule = format!("body_{body_index}_{index}");
        body += &match required.contains(&key.as_str()) {
            true => format!(" {rule}"),
            false => format!(" {rule}?"),
        };
        let open = quoted(&format!("<parameter={key}>\n"));
        let end = quoted("\n</parameter>\n");
        let texts = Texts::of(schema, &tool.parameters).map_err(|reason| {
            Error::Request(format!("the parameter \"{key}\" of \"{}\": {reason}", tool.name))
        })?;
        let value = match texts {
            Texts::None => format!("{rule}_json {end}"),
            _ => format!("{rule}_text"),
        };
        rules += &format!("{rule}: {open} {value}\n");
        rules += &match texts {
            Texts::Any => format!("{rule}_text[suffix={end}]: /(?s:.*)/\n"),
            Texts::Some(sets) => texts::rule(&format!("{rule}_text"), &sets, &end),
            Texts::None => {
                format!("{rule}_json: %json {}\n", for_lark(&self_contained(schema, &tool.parameters))?)
            }
        };
    }
    body += &format!(" {}\n{rules}", quoted("</function>"));
    Ok(body.trim_end().to_owned())
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// A parameter's schema with the definitions that it may refer to.
fn self_contained(schema: &Value, parameters: &Value) -> Value {
    let mut schema = schema.clone();
    for key in ["$defs", "definitions"] {
        if let (Some(fields), Some(definitions)) = (schema.as_object_mut(), parameters.get(key)) {
            fields.entry(key).or_insert_with(|| definitions.clone());
        }
    }
    schema
}
