//! The same questions and answers in the shape of TypeSafe's System One: a `state`, and `questions` by name.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::answer::{Decision, Outcome};
use super::object::{Fields, wrong};
use super::request::{Choice, DecisionRequest, Level, Question, QuestionKind};
use crate::{Error, Model};

/// Questions about a state, as System One has them: `noul` (yes or no), `choice` and `score`, each with `criteria` that say what
/// its answers mean. State, instructions and meanings may be texts, or JSON that the model reads as it is written.
///
/// ```
/// use qwill::decide::{Question, SystemOneRequest};
///
/// let text = r#"{"state": "I was charged twice!", "questions": {
///     "is_billing": {"type": "noul", "instructions": "Is it about money?"},
///     "tone": {"type": "choice", "instructions": "Which tone?", "criteria": {"calm": null, "angry": "Uses strong words."}},
///     "urgency": {"type": "score", "instructions": "How urgent?", "criteria": ["Can wait.", "Must be done today."]}
/// }}"#;
/// let request: SystemOneRequest = serde_json::from_str(text)?;
/// assert_eq!(request.decision().questions[0], Question::predicate("Is it about money?").named("is_billing"));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "Map<String, Value>")]
pub struct SystemOneRequest(DecisionRequest);

impl SystemOneRequest {
    /// The same as [`Model::decide`] takes it.
    pub fn decision(&self) -> &DecisionRequest {
        &self.0
    }

    /// The answers to it in System One's shape: an object with `model`, `answers` by the questions' names, and `usage`.
    pub fn reply(&self, decision: &Decision) -> Value {
        let answers = self.0.questions.iter().zip(&decision.answers);
        let answers = answers.map(|(question, answer)| {
            (question.name.clone().unwrap_or_default(), told(question, &answer.outcome))
        });
        json!({
            "model": decision.model,
            "answers": answers.collect::<Map<_, _>>(),
            "usage": {"input_tokens": decision.usage.input_tokens, "output_tokens": 0},
        })
    }
}

impl Model {
    /// Answers questions in the shape of TypeSafe's System One; see [`Model::decide`], which it leads to.
    ///
    /// ```no_run
    /// # async fn example(model: &qwill::Model, text: &str) -> Result<(), Box<dyn std::error::Error>> {
    /// let request = serde_json::from_str(text)?;
    /// let reply = model.system_one(&request).await?;
    /// println!("{}", reply["answers"]["is_billing"]["noul"]);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`Model::decide`].
    pub async fn system_one(&self, request: &SystemOneRequest) -> Result<Value, Error> {
        Ok(request.reply(&self.decide(&request.0).await?))
    }
}

impl TryFrom<Map<String, Value>> for SystemOneRequest {
    type Error = Error;

    fn try_from(mut fields: Map<String, Value>) -> Result<Self, Error> {
        fields.remove("model");
        let mut fields = Fields::whole(fields);
        let input = take_content(&mut fields, "state")?;
        let questions = fields.take_map("questions", read_question)?;
        fields.end()?;
        Ok(Self(DecisionRequest::new(input, questions)))
    }
}

fn read_question(name: String, fields: &mut Fields) -> Result<Question, Error> {
    let kind = fields.take("type");
    let instructions = take_content(fields, "instructions")?;
    let question = match kind.as_str() {
        Some("noul") => Question::predicate(instructions + &read_meanings(fields)?),
        Some("choice") => Question {
            name: None,
            instructions,
            kind: QuestionKind::Choice { choices: read_choices(fields)? },
        },
        Some("score") => {
            Question { name: None, instructions, kind: QuestionKind::Score { levels: read_levels(fields)? } }
        }
        _ => return Err(wrong(&fields.path_of("type"), "\"noul\", \"choice\" or \"score\"", &kind)),
    };
    Ok(question.named(name))
}

/// What yes and no mean, as lines behind the question.
fn read_meanings(fields: &mut Fields) -> Result<String, Error> {
    let path = fields.path_of("criteria");
    let mut criteria = match fields.take("criteria") {
        Value::Null => return Ok(String::new()),
        Value::Object(criteria) => criteria,
        other => return Err(wrong(&path, "an object with true and false", &other)),
    };
    let mut lines = String::new();
    for (key, reply) in [("true", "Yes"), ("false", "No")] {
        if let Some(meaning) = criteria.remove(key).as_ref().and_then(content) {
            lines += &format!("\n{reply}: {meaning}");
        }
    }
    match criteria.keys().next() {
        Some(key) => {
            Err(Error::Request(format!("the field \"{path}.{key}\" is not known; it has true and false")))
        }
        None => Ok(lines),
    }
}

fn read_choices(fields: &mut Fields) -> Result<Vec<Choice>, Error> {
    let path = fields.path_of("criteria");
    match fields.take("criteria") {
        Value::Object(criteria) => {
            let choice =
                |(key, meaning): (String, Value)| Choice { description: content(&meaning), ..key.into() };
            Ok(criteria.into_iter().map(choice).collect())
        }
        other => Err(wrong(&path, "an object with a meaning or null for each choice", &other)),
    }
}

/// Levels are told by their number, which is short, and mean what the criteria say.
fn read_levels(fields: &mut Fields) -> Result<Vec<Level>, Error> {
    let path = fields.path_of("criteria");
    let criteria = match fields.take("criteria") {
        Value::Array(criteria) => criteria,
        other => return Err(wrong(&path, "a list of levels, the lowest first", &other)),
    };
    let level = |(index, meaning): (usize, &Value)| match content(meaning) {
        Some(meaning) => Ok(Level { description: Some(meaning), ..index.to_string().into() }),
        None => Err(Error::Request(format!("{path}[{index}] is empty, but must say what the level means"))),
    };
    criteria.iter().enumerate().map(level).collect()
}

fn take_content(fields: &mut Fields, name: &str) -> Result<String, Error> {
    let path = fields.path_of(name);
    let value = fields.take(name);
    match &value {
        Value::Null => Err(Error::Request(format!("{path} is missing"))),
        Value::String(_) | Value::Object(_) | Value::Array(_) => Ok(content(&value).unwrap_or_default()),
        other => Err(wrong(&path, "a text, an object or a list", other)),
    }
}

/// A text as it is, anything else as JSON; nothing of what is empty.
fn content(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) if text.trim().is_empty() => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

fn told(question: &Question, outcome: &Outcome) -> Value {
    match outcome {
        Outcome::Predicate { probability } => json!({"type": "noul", "noul": probability}),
        Outcome::Choice { choice, confidence, probabilities } => {
            let probabilities =
                probabilities.iter().map(|one| (one.value.to_string(), json!(one.probability)));
            json!({
                "type": "choice",
                "choice": choice,
                "probabilities": probabilities.collect::<Map<_, _>>(),
                "confidence": confidence,
            })
        }
        Outcome::Score { score, confidence, probabilities } => {
            let QuestionKind::Score { levels } = &question.kind else { return Value::Null };
            let legend = levels.iter().map(|level| (level.label.clone(), json!(level.description)));
            let probabilities = probabilities.iter().map(|one| (one.label.clone(), json!(one.probability)));
            json!({
                "type": "score",
                "score": score,
                "legend": legend.collect::<Map<_, _>>(),
                "probabilities": probabilities.collect::<Map<_, _>>(),
                "confidence": confidence,
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::answer::{Answer, DecisionUsage};
    use super::*;
    use crate::Timings;

    fn parsed(json: Value) -> Result<SystemOneRequest, String> {
        serde_json::from_value(json).map_err(|error| error.to_string())
    }

    fn example() -> SystemOneRequest {
        let request = json!({"model": "any", "state": {"message": "Twice!", "channel": null}, "questions": {
            "b": {"type": "noul", "instructions": ["So?"], "criteria": {"false": "It is not.", "true": {"is": 1}}},
            "a": {"type": "choice", "instructions": "Which?", "criteria": {"z": null, "y": "The last but one."}},
            "s": {"type": "score", "instructions": "How?", "criteria": ["low", "high"]},
        }});
        parsed(request).unwrap()
    }

    #[test]
    fn questions_are_those_of_a_decision() {
        let request = example();
        let DecisionRequest { input, questions, .. } = request.decision();
        assert_eq!(input, r#"{"message":"Twice!","channel":null}"#);
        assert_eq!(
            questions[0],
            Question::predicate("[\"So?\"]\nYes: {\"is\":1}\nNo: It is not.").named("b")
        );
        let y = Choice { description: Some("The last but one.".into()), ..Choice::from("y") };
        assert_eq!(questions[1], Question::choice("Which?", [Choice::from("z"), y]).named("a"));
        let level =
            |label: &str, meaning: &str| Level { description: Some(meaning.into()), ..Level::from(label) };
        assert_eq!(questions[2], Question::score("How?", [level("0", "low"), level("1", "high")]).named("s"));
        request.decision().check().unwrap();
    }

    #[test]
    fn answers_have_the_questions_names() {
        let request = example();
        let questions = &request.decision().questions;
        let logprobs = [[0.75f64, 0.25], [0.125, 0.875], [0.5, 0.5]].map(|likely| likely.map(f64::ln));
        let answers =
            questions.iter().zip(&logprobs).map(|(question, logprobs)| Answer::new(question, logprobs));
        let usage = DecisionUsage { input_tokens: 9, cached_tokens: 3, read_tokens: 6 };
        let decision =
            Decision { model: "m".into(), answers: answers.collect(), usage, timings: Timings::default() };
        let reply = request.reply(&decision);
        assert_eq!(reply["usage"], json!({"input_tokens": 9, "output_tokens": 0}));
        let answers = reply["answers"].as_object().unwrap();
        assert_eq!(answers.keys().collect::<Vec<_>>(), ["b", "a", "s"]);
        let near =
            |found: &Value, wanted: f64| assert!((found.as_f64().unwrap() - wanted).abs() < 1e-12, "{reply}");
        near(&answers["b"]["noul"], 0.75);
        // the model hears of y first
        assert_eq!(answers["a"]["choice"], "z");
        near(&answers["a"]["probabilities"]["z"], 0.875);
        near(&answers["a"]["confidence"], 0.75);
        near(&answers["s"]["score"], 0.5);
        near(&answers["s"]["probabilities"]["1"], 0.5);
        assert_eq!(answers["s"]["legend"], json!({"0": "low", "1": "high"}));
    }

    #[test]
    fn what_is_wrong_is_named_by_its_place() {
        let with = |question: Value| json!({"state": "x", "questions": {"q": question}});
        for (request, words) in [
            (json!({"questions": {}}), "state is missing"),
            (json!({"state": 1, "questions": {}}), "state must be a text, an object or a list, not 1"),
            (json!({"state": "x"}), "questions is missing"),
            (json!({"state": "x", "questions": []}), "questions must be an object, not []"),
            (json!({"state": "x", "questions": {}, "input": 1}), "the field \"input\" is not known"),
            (with(json!({"type": "predicate", "instructions": "?"})), "questions.q.type must be \"noul\""),
            (with(json!({"type": "noul"})), "questions.q.instructions is missing"),
            (
                with(json!({"type": "noul", "instructions": "?", "criteria": {"yes": "x"}})),
                "\"questions.q.criteria.yes\" is not known",
            ),
            (
                with(json!({"type": "choice", "instructions": "?", "criteria": ["a", "b"]})),
                "questions.q.criteria must be an object",
            ),
            (
                with(json!({"type": "score", "instructions": "?", "criteria": {"0": "a"}})),
                "questions.q.criteria must be a list",
            ),
            (
                with(json!({"type": "score", "instructions": "?", "criteria": ["a", " "]})),
                "questions.q.criteria[1] is empty",
            ),
        ] {
            let error = parsed(request.clone()).unwrap_err();
            assert!(error.contains(words), "{request}: \"{words}\" is not in: {error}");
        }
    }
}
