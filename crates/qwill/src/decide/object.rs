//! Objects of a request that are taken apart field by field.

use serde_json::{Map, Value};

use crate::Error;

/// Fields of an object that were not taken yet, and where it is.
pub(super) struct Fields {
    path: String,
    left: Map<String, Value>,
}

pub(super) fn wrong(path: &str, wanted: &str, found: &Value) -> Error {
    Error::Request(format!("{path} must be {wanted}, not {found}"))
}

impl Fields {
    /// Those of a whole request.
    pub(super) fn whole(left: Map<String, Value>) -> Self {
        Self { path: String::new(), left }
    }

    fn of(path: String, value: Value) -> Result<Self, Error> {
        match value {
            Value::Object(left) => Ok(Self { path, left }),
            other => Err(wrong(&path, "an object", &other)),
        }
    }

    pub(super) fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    pub(super) fn peek(&self, name: &str) -> Option<&Value> {
        self.left.get(name)
    }

    /// Takes a field out; null says nothing.
    pub(super) fn take(&mut self, name: &str) -> Value {
        self.left.remove(name).unwrap_or_default()
    }

    pub(super) fn take_text(&mut self, name: &str) -> Result<Option<String>, Error> {
        match self.take(name) {
            Value::Null => Ok(None),
            Value::String(text) => Ok(Some(text)),
            other => Err(wrong(&self.path_of(name), "a text", &other)),
        }
    }

    pub(super) fn take_needed_text(&mut self, name: &str) -> Result<String, Error> {
        self.take_text(name)?.ok_or_else(|| Error::Request(format!("{} is missing", self.path_of(name))))
    }

    /// Takes a list of objects, each of which `read` takes apart.
    pub(super) fn take_list<T>(
        &mut self,
        name: &str,
        read: impl Fn(&mut Fields) -> Result<T, Error>,
    ) -> Result<Vec<T>, Error> {
        let path = self.path_of(name);
        let items = match self.take(name) {
            Value::Null => return Err(Error::Request(format!("{path} is missing"))),
            Value::Array(items) => items,
            other => return Err(wrong(&path, "a list", &other)),
        };
        let read = |(index, item)| {
            let mut fields = Fields::of(format!("{path}[{index}]"), item)?;
            let item = read(&mut fields)?;
            fields.end()?;
            Ok(item)
        };
        items.into_iter().enumerate().map(read).collect()
    }

    /// Takes an object of objects, each of which `read` takes apart.
    pub(super) fn take_map<T>(
        &mut self,
        name: &str,
        read: impl Fn(String, &mut Fields) -> Result<T, Error>,
    ) -> Result<Vec<T>, Error> {
        let path = self.path_of(name);
        let items = match self.take(name) {
            Value::Null => return Err(Error::Request(format!("{path} is missing"))),
            Value::Object(items) => items,
            other => return Err(wrong(&path, "an object", &other)),
        };
        let read = |(key, item): (String, Value)| {
            let mut fields = Fields::of(format!("{path}.{key}"), item)?;
            let item = read(key, &mut fields)?;
            fields.end()?;
            Ok(item)
        };
        items.into_iter().map(read).collect()
    }

    /// Refuses what was not taken.
    pub(super) fn end(&self) -> Result<(), Error> {
        match self.left.iter().find(|(_, value)| !value.is_null()) {
            Some((name, _)) => {
                Err(Error::Request(format!("the field \"{}\" is not known", self.path_of(name))))
            }
            None => Ok(()),
        }
    }
}
