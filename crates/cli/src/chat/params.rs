//! `/params`: how replies are made.

use qwill::{ChatRequest, Model};
use serde_json::{Map, Value};

use crate::failure::{Failure, wrong};

/// Settings, as requests name them.
pub(super) const PARAMS: [&str; 12] = [
    "temperature",
    "top_k",
    "top_p",
    "min_p",
    "repetition_penalty",
    "presence_penalty",
    "frequency_penalty",
    "seed",
    "max_tokens",
    "stop",
    "thinking_budget",
    "regex",
];

fn fields(request: &ChatRequest) -> Result<Map<String, Value>, Failure> {
    match serde_json::to_value(request)? {
        Value::Object(fields) => Ok(fields),
        _ => Ok(Map::new()),
    }
}

/// The request with another value of a setting. A value that is no JSON is a text.
fn changed(request: &ChatRequest, name: &str, value: &str) -> Result<ChatRequest, Failure> {
    if !PARAMS.contains(&name) {
        return Err(wrong(format!("there is no setting \"{name}\"; there are {}", PARAMS.join(", "))));
    }
    let mut fields = fields(request)?;
    match value {
        "default" => fields.remove(name),
        value => {
            let value = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
            fields.insert(name.to_owned(), value)
        }
    };
    Ok(serde_json::from_value(Value::Object(fields))?)
}

/// All settings that differ from the model's, and the model's.
fn listed(model: &Model, request: &ChatRequest) -> Result<String, Failure> {
    let fields = fields(request)?;
    let usual = model.generation_config();
    let temperature = if usual.do_sample { usual.temperature } else { 0.0 };
    let usual = |name: &str| match name {
        "temperature" => temperature.to_string(),
        "top_k" => usual.top_k.to_string(),
        "top_p" => usual.top_p.to_string(),
        "min_p" => usual.min_p.to_string(),
        "repetition_penalty" => usual.repetition_penalty.to_string(),
        "presence_penalty" => usual.presence_penalty.to_string(),
        "frequency_penalty" => usual.frequency_penalty.to_string(),
        "seed" => "another one each time".into(),
        _ => "none".into(),
    };
    let is_set = |value: &&Value| !value.is_null() && value.as_array().is_none_or(|list| !list.is_empty());
    let line = |name: &str| match fields.get(name).filter(is_set) {
        Some(value) => format!("{name:20} {value}"),
        None => format!("{name:20} {} (default)", usual(name)),
    };
    Ok(PARAMS.map(line).join("\n"))
}

/// What `/params` with this behind it does to a request; what to tell about it.
pub(super) fn obey(model: &Model, request: &mut ChatRequest, argument: &str) -> Result<String, Failure> {
    // as Ollama has it: /set parameter temperature 0.7
    let argument = argument.strip_prefix("parameter ").unwrap_or(argument).trim();
    let Some((name, value)) = argument.split_once(char::is_whitespace) else {
        return match argument {
            "" => listed(model, request),
            name => Err(wrong(format!("a value is needed: /params {name} VALUE"))),
        };
    };
    let new = changed(request, name, value.trim())?;
    // what a reply would refuse is refused now
    let probe = ChatRequest { messages: vec![qwill::Message::user("?")], max_tokens: Some(0), ..new.clone() };
    drop(model.chat(&probe)?);
    *request = new;
    Ok(format!("{name} is {}.", value.trim()))
}

#[cfg(test)]
mod tests {
    use qwill::Message;

    use super::*;

    #[test]
    fn settings_change_and_nothing_else_does() {
        let request = ChatRequest { max_tokens: Some(7), ..ChatRequest::new([Message::user("Hi")]) };
        let warm = changed(&request, "temperature", "0.5").unwrap();
        assert_eq!(warm.sampling.temperature, Some(0.5));
        assert_eq!(changed(&warm, "temperature", "default").unwrap(), request);
        assert_eq!(changed(&request, "stop", "END").unwrap().stop, ["END"]);
        assert_eq!(changed(&request, "stop", "[\"a\", \"b\"]").unwrap().stop, ["a", "b"]);
        for (name, value, words) in [
            ("temp", "1", "there is no setting \"temp\"; there are temperature"),
            ("temperature", "warm", "temperature must be a number"),
        ] {
            let failure = changed(&request, name, value).unwrap_err();
            assert!(format!("{failure:?}").contains(&words.escape_debug().to_string()), "{failure:?}");
        }
    }
}
