//! What is asked.

use std::collections::HashSet;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{AdapterUse, Error};

/// How many choices a question may have.
const CHOICES: std::ops::RangeInclusive<usize> = 2..=255;
/// How many levels a question may have.
const LEVELS: std::ops::RangeInclusive<usize> = 2..=10;

/// Questions about an input.
///
/// As JSON it has the shape of OpenAI's Decisions: `input` may also be a list of messages of a user, whose texts are then read
/// as one, and what is not known is refused by name.
///
/// ```
/// use qwill::decide::{DecisionRequest, Question};
///
/// let request = DecisionRequest::new(
///     "Hello!",
///     [Question::predicate("It is a greeting."), Question::choice("Which language?", ["en", "de"]).named("language")],
/// );
/// let text = r#"{"input": "Hello!", "questions": [
///     {"type": "predicate", "instructions": "It is a greeting."},
///     {"type": "choice", "name": "language", "instructions": "Which language?", "choices": [{"value": "en"}, {"value": "de"}]}
/// ]}"#;
/// assert_eq!(serde_json::from_str::<DecisionRequest>(text)?, request);
///
/// let wrong = serde_json::from_str::<DecisionRequest>(r#"{"input": "x", "questions": [{"type": "guess"}]}"#);
/// assert_eq!(
///     wrong.unwrap_err().to_string(),
///     "questions[0].type must be \"predicate\", \"choice\" or \"score\", not \"guess\""
/// );
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Map<String, Value>")]
pub struct DecisionRequest {
    /// What the questions are about.
    pub input: String,
    /// The questions.
    pub questions: Vec<Question>,
    /// The adapters to answer with; absent: those that [`Model::select_adapters`](crate::Model::select_adapters) named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adapters: Option<Vec<AdapterUse>>,
}

/// A question.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Question {
    /// What its answer is called; no two questions of a request are called the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What is asked: a question, or a statement that may be true.
    pub instructions: String,
    /// How it is answered.
    #[serde(flatten)]
    pub kind: QuestionKind,
}

/// How a question is answered.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum QuestionKind {
    /// Yes or no.
    Predicate,
    /// One of several answers, whose order says nothing.
    Choice {
        /// 2 to 255 of them.
        choices: Vec<Choice>,
    },
    /// A place on a scale.
    Score {
        /// 2 to 10 levels, the lowest first.
        levels: Vec<Level>,
    },
}

/// A possible answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Choice {
    /// The answer.
    pub value: ChoiceValue,
    /// What it means.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// A text or a truth value; the model sees the latter as `true` or `false`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum ChoiceValue {
    /// A text.
    Text(String),
    /// A truth value.
    Bool(bool),
}

/// A level of a scale.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Level {
    /// What it is called.
    pub label: String,
    /// What it means.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

impl DecisionRequest {
    /// Questions about an input.
    pub fn new(input: impl Into<String>, questions: impl IntoIterator<Item = Question>) -> Self {
        Self { input: input.into(), questions: questions.into_iter().collect(), adapters: None }
    }

    /// Whether it can be answered.
    pub(super) fn check(&self) -> Result<(), Error> {
        if self.input.trim().is_empty() {
            return Err(refused("input is empty, but must be what the questions are about"));
        }
        if self.questions.is_empty() {
            return Err(refused("questions is empty, but must have at least one question"));
        }
        let mut names = HashSet::new();
        for (index, question) in self.questions.iter().enumerate() {
            question.check(&format!("questions[{index}]"))?;
            if let Some(name) = &question.name
                && !names.insert(name)
            {
                return Err(refused(&format!("two questions are named \"{name}\"")));
            }
        }
        Ok(())
    }
}

impl Question {
    /// Whether something is so.
    pub fn predicate(instructions: impl Into<String>) -> Self {
        Self::new(instructions, QuestionKind::Predicate)
    }

    /// Which of several answers is right.
    pub fn choice(
        instructions: impl Into<String>,
        choices: impl IntoIterator<Item = impl Into<Choice>>,
    ) -> Self {
        let choices = choices.into_iter().map(Into::into).collect();
        Self::new(instructions, QuestionKind::Choice { choices })
    }

    /// Where on a scale something is, whose levels rise.
    pub fn score(
        instructions: impl Into<String>,
        levels: impl IntoIterator<Item = impl Into<Level>>,
    ) -> Self {
        let levels = levels.into_iter().map(Into::into).collect();
        Self::new(instructions, QuestionKind::Score { levels })
    }

    fn new(instructions: impl Into<String>, kind: QuestionKind) -> Self {
        Self { name: None, instructions: instructions.into(), kind }
    }

    /// The same with a name for its answer.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    fn check(&self, path: &str) -> Result<(), Error> {
        if self.instructions.trim().is_empty() {
            return Err(refused(&format!("{path}.instructions is empty, but must say what is asked")));
        }
        match &self.kind {
            QuestionKind::Predicate => Ok(()),
            QuestionKind::Choice { choices } => {
                let texts = choices.iter().map(|choice| choice.value.text());
                check_options(&format!("{path}.choices"), &CHOICES, texts)
            }
            QuestionKind::Score { levels } => {
                let texts = levels.iter().map(|level| level.label.as_str());
                check_options(&format!("{path}.levels"), &LEVELS, texts)
            }
        }
    }
}

/// Options must differ in what the model reads, which spaces around them do not change.
fn check_options<'a>(
    path: &str,
    allowed: &std::ops::RangeInclusive<usize>,
    texts: impl ExactSizeIterator<Item = &'a str>,
) -> Result<(), Error> {
    if !allowed.contains(&texts.len()) {
        let (least, most) = (allowed.start(), allowed.end());
        return Err(refused(&format!("{path} has {} entries, but must have {least} to {most}", texts.len())));
    }
    let mut known = HashSet::new();
    for (index, text) in texts.enumerate() {
        if text.trim().is_empty() {
            return Err(refused(&format!("{path}[{index}] is empty, but must be a text")));
        }
        if !known.insert(text.trim()) {
            return Err(refused(&format!("{path} has \"{}\" twice, but all must differ", text.trim())));
        }
    }
    Ok(())
}

fn refused(reason: &str) -> Error {
    Error::Request(reason.to_owned())
}

impl ChoiceValue {
    /// What the model reads.
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Text(text) => text,
            Self::Bool(true) => "true",
            Self::Bool(false) => "false",
        }
    }
}

impl fmt::Display for ChoiceValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl From<&str> for ChoiceValue {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for ChoiceValue {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<bool> for ChoiceValue {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl<T: Into<ChoiceValue>> From<T> for Choice {
    fn from(value: T) -> Self {
        Self { value: value.into(), description: None }
    }
}

impl<T: Into<String>> From<T> for Level {
    fn from(label: T) -> Self {
        Self { label: label.into(), description: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(input: &str, questions: impl IntoIterator<Item = Question>) -> String {
        DecisionRequest::new(input, questions).check().unwrap_err().to_string()
    }

    fn levels(n: usize) -> Question {
        Question::score("how?", (0..n).map(|i| i.to_string()))
    }

    #[test]
    fn what_cannot_be_decided_is_named() {
        let predicate = || Question::predicate("so?");
        for (found, wanted) in [
            (refusal("x", []), "questions is empty"),
            (refusal(" \n", [predicate()]), "input is empty"),
            (refusal("x", [predicate(), Question::predicate(" ")]), "questions[1].instructions is empty"),
            (
                refusal("x", [Question::choice("?", ["a"])]),
                "questions[0].choices has 1 entries, but must have 2 to 255",
            ),
            (refusal("x", [Question::choice("?", ["a", "b", "a "])]), "choices has \"a\" twice"),
            (
                refusal("x", [Question::choice("?", [ChoiceValue::from("true"), true.into()])]),
                "choices has \"true\" twice",
            ),
            (refusal("x", [Question::choice("?", ["a", "\t"])]), "questions[0].choices[1] is empty"),
            (refusal("x", [levels(1)]), "questions[0].levels has 1 entries, but must have 2 to 10"),
            (refusal("x", [levels(11)]), "questions[0].levels has 11 entries"),
            (refusal("x", [predicate().named("a"), levels(2).named("a")]), "two questions are named \"a\""),
        ] {
            assert!(found.contains(wanted), "\"{wanted}\" is not in: {found}");
        }
        for request in [vec![levels(2), levels(10), predicate()], vec![Question::choice("?", [true, false])]]
        {
            DecisionRequest::new("x", request).check().unwrap();
        }
    }
}
