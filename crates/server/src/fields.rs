//! Objects of requests, field by field: what is of a wrong type, or not known, is refused by its place.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::failure::Failure;

/// Fields of an object that were not taken yet, and where it is.
pub(crate) struct Fields {
    path: String,
    left: Map<String, Value>,
}

impl Fields {
    /// Those of a request.
    pub(crate) fn of(left: Map<String, Value>) -> Self {
        Self { path: String::new(), left }
    }

    /// Those of an object somewhere in a request.
    pub(crate) fn at(path: impl Into<String>, value: Value) -> Result<Self, Failure> {
        let path = path.into();
        match value {
            Value::Object(left) => Ok(Self { path, left }),
            other => Err(Failure::invalid(format!("{path} must be an object, not {}", shown(&other)))),
        }
    }

    /// Where a field is.
    pub(crate) fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    /// Takes a field out; null says nothing. `right` says what it may be.
    pub(crate) fn take<T: DeserializeOwned>(
        &mut self,
        name: &str,
        right: &str,
    ) -> Result<Option<T>, Failure> {
        match self.left.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => {
                let shown = shown(&value);
                serde_json::from_value(value).map(Some).map_err(|_| {
                    Failure::invalid(format!("{} must be {right}, not {shown}", self.path_of(name)))
                })
            }
        }
    }

    /// Takes a field out that must be there.
    pub(crate) fn need<T: DeserializeOwned>(&mut self, name: &str, right: &str) -> Result<T, Failure> {
        let taken = self.take(name, right)?;
        taken
            .ok_or_else(|| Failure::invalid(format!("{} is missing; it must be {right}", self.path_of(name))))
    }

    pub(crate) fn text(&mut self, name: &str) -> Result<Option<String>, Failure> {
        self.take(name, "a text")
    }

    pub(crate) fn flag(&mut self, name: &str) -> Result<bool, Failure> {
        Ok(self.take(name, "true or false")?.unwrap_or(false))
    }

    pub(crate) fn count(&mut self, name: &str) -> Result<Option<usize>, Failure> {
        self.take(name, "a whole number from 0 on")
    }

    pub(crate) fn number(&mut self, name: &str) -> Result<Option<f32>, Failure> {
        self.take(name, "a number")
    }

    /// Takes a list of texts, or one text.
    pub(crate) fn texts(&mut self, name: &str) -> Result<Vec<String>, Failure> {
        match self.left.get(name) {
            Some(Value::String(_)) => Ok(self.text(name)?.into_iter().collect()),
            _ => Ok(self.take(name, "a text or a list of texts")?.unwrap_or_default()),
        }
    }

    /// Takes an object out.
    pub(crate) fn object(&mut self, name: &str) -> Result<Option<Self>, Failure> {
        match self.left.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => Self::at(self.path_of(name), value).map(Some),
        }
    }

    /// Takes whatever is there.
    pub(crate) fn any(&mut self, name: &str) -> Value {
        self.left.remove(name).unwrap_or_default()
    }

    /// Takes out what says nothing about the answer.
    pub(crate) fn ignore(&mut self, names: &[&str]) {
        self.left.retain(|name, _| !names.contains(&name.as_str()));
    }

    /// Takes a field that may only have the value which is served anyway.
    pub(crate) fn only(&mut self, name: &str, served: &[Value]) -> Result<(), Failure> {
        let value = self.any(name);
        if value.is_null() || served.contains(&value) {
            return Ok(());
        }
        let served: Vec<String> = served.iter().map(Value::to_string).collect();
        Err(Failure::invalid(format!(
            "{} is {}, which this server cannot do; it can do {}",
            self.path_of(name),
            shown(&value),
            if served.is_empty() { "without it".to_owned() } else { served.join(" or ") }
        )))
    }

    /// What was not taken.
    pub(crate) fn rest(self) -> Map<String, Value> {
        self.left
    }

    /// Refuses what was not taken.
    pub(crate) fn end(self) -> Result<(), Failure> {
        match self.left.iter().find(|(_, value)| !value.is_null()) {
            Some((name, _)) => {
                Err(Failure::invalid(format!("the field \"{}\" is not known", self.path_of(name))))
            }
            None => Ok(()),
        }
    }
}

/// A value in a message, not all of it if it is long.
pub(crate) fn shown(value: &Value) -> String {
    const MOST: usize = 80;
    let text = value.to_string();
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
