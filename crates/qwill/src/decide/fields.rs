//! Requests as JSON, field by field: what is not known, or of a wrong type, is refused by its place.

use serde_json::{Map, Value};

use super::object::{Fields, wrong};
use super::request::{Choice, ChoiceValue, DecisionRequest, Level, Question, QuestionKind};
use crate::{AdapterUse, Error};

/// Fields that say nothing about the answers.
const IGNORED: [&str; 4] = ["model", "user", "metadata", "safety_identifier"];
/// What stands between messages that are read as one text.
const GAP: &str = "\n\n";

impl TryFrom<Map<String, Value>> for DecisionRequest {
    type Error = Error;

    fn try_from(mut left: Map<String, Value>) -> Result<Self, Error> {
        left.retain(|name, _| !IGNORED.contains(&name.as_str()));
        let mut fields = Fields::whole(left);
        let request = Self {
            input: read_input(&mut fields)?,
            questions: fields.take_list("questions", read_question)?,
            adapters: read_adapters(&mut fields)?,
        };
        fields.end()?;
        Ok(request)
    }
}

fn read_adapters(fields: &mut Fields) -> Result<Option<Vec<AdapterUse>>, Error> {
    let adapters = fields.take("adapters");
    serde_json::from_value(adapters).map_err(|error| Error::Request(format!("adapters: {error}")))
}

/// A text, or messages whose texts are one.
fn read_input(fields: &mut Fields) -> Result<String, Error> {
    match fields.peek("input") {
        Some(Value::Array(_)) => Ok(fields.take_list("input", read_message)?.join(GAP)),
        None | Some(Value::Null | Value::String(_)) => fields.take_needed_text("input"),
        Some(other) => Err(wrong("input", "a text or a list of messages", other)),
    }
}

fn read_message(fields: &mut Fields) -> Result<String, Error> {
    let role = fields.take("role");
    if role != "user" {
        return Err(wrong(&fields.path_of("role"), "\"user\"", &role));
    }
    let kind = fields.take("type");
    if !kind.is_null() && kind != "message" {
        return Err(wrong(&fields.path_of("type"), "\"message\"", &kind));
    }
    if matches!(fields.peek("content"), Some(Value::Array(_))) {
        return Ok(fields.take_list("content", read_part)?.concat());
    }
    fields.take_needed_text("content")
}

fn read_part(fields: &mut Fields) -> Result<String, Error> {
    let kind = fields.take("type");
    if kind != "input_text" && kind != "text" {
        let path = fields.path_of("type");
        return Err(wrong(&path, "\"input_text\" (only text is supported)", &kind));
    }
    fields.take_needed_text("text")
}

fn read_question(fields: &mut Fields) -> Result<Question, Error> {
    let kind = match fields.take("type") {
        Value::String(kind) if kind == "predicate" => QuestionKind::Predicate,
        Value::String(kind) if kind == "choice" => {
            QuestionKind::Choice { choices: fields.take_list("choices", read_choice)? }
        }
        Value::String(kind) if kind == "score" => {
            QuestionKind::Score { levels: fields.take_list("levels", read_level)? }
        }
        other => {
            return Err(wrong(&fields.path_of("type"), "\"predicate\", \"choice\" or \"score\"", &other));
        }
    };
    let (name, instructions) = (fields.take_text("name")?, fields.take_needed_text("instructions")?);
    Ok(Question { name, instructions, kind })
}

fn read_choice(fields: &mut Fields) -> Result<Choice, Error> {
    let value = match fields.take("value") {
        Value::String(text) => ChoiceValue::Text(text),
        Value::Bool(value) => ChoiceValue::Bool(value),
        other => return Err(wrong(&fields.path_of("value"), "a text, true or false", &other)),
    };
    Ok(Choice { value, description: fields.take_text("description")? })
}

fn read_level(fields: &mut Fields) -> Result<Level, Error> {
    Ok(Level { label: fields.take_needed_text("label")?, description: fields.take_text("description")? })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parsed(json: Value) -> Result<DecisionRequest, String> {
        serde_json::from_value(json).map_err(|error| error.to_string())
    }

    /// Whoever adds a field must read it here, or this fails.
    #[test]
    fn what_is_written_is_read() {
        let choices = [Choice { description: Some("d".into()), ..true.into() }, "b".into()];
        let levels = [Level { description: Some("d".into()), ..Level::from("low") }, "high".into()];
        let questions = [
            Question::predicate("p"),
            Question::choice("c", choices).named("n"),
            Question::score("s", levels),
        ];
        let request = DecisionRequest {
            adapters: Some(vec![AdapterUse::new("a")]),
            ..DecisionRequest::new("x", questions)
        };
        assert_eq!(parsed(json!(request)).unwrap(), request);
    }

    #[test]
    fn messages_of_a_user_are_one_text() {
        let input = json!([
            {"role": "user", "content": "one"},
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "t"}, {"type": "text", "text": "wo"}]},
        ]);
        let request =
            parsed(json!({"model": "any", "input": input, "questions": [], "safety_identifier": null}));
        assert_eq!(request.unwrap().input, "one\n\ntwo");
    }

    #[test]
    fn what_is_wrong_is_named_by_its_place() {
        let with = |question: Value| json!({"input": "x", "questions": [question]});
        let choice =
            |choices: Value| with(json!({"type": "choice", "instructions": "?", "choices": choices}));
        let input = |input: Value| json!({"input": input, "questions": []});
        for (request, words) in [
            (json!({"questions": []}), "input is missing"),
            (json!({"input": "x"}), "questions is missing"),
            (json!({"input": "x", "questions": {}}), "questions must be a list, not {}"),
            (json!({"input": "x", "questions": [], "state": 1}), "the field \"state\" is not known"),
            (with(json!("?")), "questions[0] must be an object, not \"?\""),
            (
                with(json!({"type": "noul"})),
                "questions[0].type must be \"predicate\", \"choice\" or \"score\", not \"noul\"",
            ),
            (with(json!({})), "or \"score\", not null"),
            (with(json!({"type": "predicate"})), "questions[0].instructions is missing"),
            (
                with(json!({"type": "predicate", "instructions": 1})),
                "questions[0].instructions must be a text, not 1",
            ),
            (
                with(json!({"type": "predicate", "instructions": "?", "choices": []})),
                "the field \"questions[0].choices\" is not known",
            ),
            (with(json!({"type": "score", "instructions": "?"})), "questions[0].levels is missing"),
            (choice(json!(["a", "b"])), "questions[0].choices[0] must be an object, not \"a\""),
            (choice(json!([{"value": 1}])), "choices[0].value must be a text, true or false, not 1"),
            (choice(json!([{"value": "a", "label": "b"}])), "\"questions[0].choices[0].label\" is not known"),
            (input(json!(7)), "input must be a text or a list of messages, not 7"),
            (
                input(json!([{"role": "system", "content": "x"}])),
                "input[0].role must be \"user\", not \"system\"",
            ),
            (
                input(json!([{"role": "user", "content": [{"type": "input_image"}]}])),
                "input[0].content[0].type must be \"input_text\" (only text is supported), not \"input_image\"",
            ),
            (json!({"input": "x", "questions": [], "adapters": 1}), "adapters: "),
        ] {
            let error = parsed(request.clone()).unwrap_err();
            assert!(error.contains(words), "{request}: \"{words}\" is not in: {error}");
        }
    }
}
