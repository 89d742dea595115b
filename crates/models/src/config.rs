//! Reading `config.json`: typed values with errors that name the key.

use serde_json::Value;

/// Why a configuration makes no plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No family of ours.
    #[error("unknown architecture \"{found}\"; this version knows {}", known.join(", "))]
    UnknownArchitecture {
        /// What the checkpoint calls itself.
        found: String,
        /// What the registry holds.
        known: Vec<&'static str>,
    },
    /// A key that the family needs is absent.
    #[error("the model's configuration has no \"{key}\"")]
    Missing {
        /// The key.
        key: &'static str,
    },
    /// A value that cannot be.
    #[error("the model's configuration says \"{key}\": {found}, but {expected}")]
    Invalid {
        /// The key.
        key: &'static str,
        /// What stands there.
        found: String,
        /// What would be right.
        expected: String,
    },
}

/// A `config.json`, or its equivalent made from GGUF metadata.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    json: Value,
}

impl Config {
    /// Takes over a parsed `config.json`.
    pub fn new(json: Value) -> Self {
        Self { json }
    }

    /// The architecture's own name: `architectures[0]`, else `model_type`.
    pub fn architecture(&self) -> Option<&str> {
        let first = self.json.get("architectures").and_then(|a| a.get(0)).and_then(Value::as_str);
        first.or_else(|| self.json.get("model_type").and_then(Value::as_str))
    }

    /// `model_type`, if it is there.
    pub fn model_type(&self) -> Option<&str> {
        self.json.get("model_type").and_then(Value::as_str)
    }

    /// Whether it is of Qwen (2023), which has names of its own for much.
    pub(crate) fn is_qwen1(&self) -> bool {
        self.model_type() == Some("qwen")
    }

    /// The same with another value for a key; `null` takes the key away.
    #[must_use]
    pub fn with(&self, key: &str, value: Value) -> Self {
        let mut json = self.json.clone();
        json[key] = value;
        Self { json }
    }

    /// The value of a key; `null` counts as absent.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.json.get(key).filter(|v| !v.is_null())
    }

    /// A positive whole number below 2^32, if the key is there.
    pub fn count_opt(&self, key: &'static str) -> Result<Option<usize>, Error> {
        let Some(value) = self.get(key) else { return Ok(None) };
        match value.as_u64() {
            Some(n) if (1..1 << 32).contains(&n) => Ok(Some(n as usize)),
            _ => Err(invalid(key, value, "a positive whole number is needed")),
        }
    }

    /// A positive whole number.
    pub fn count(&self, key: &'static str) -> Result<usize, Error> {
        self.count_opt(key)?.ok_or(Error::Missing { key })
    }

    /// A finite number, if the key is there.
    pub fn number_opt(&self, key: &'static str) -> Result<Option<f64>, Error> {
        let Some(value) = self.get(key) else { return Ok(None) };
        value
            .as_f64()
            .filter(|n| n.is_finite())
            .map(Some)
            .ok_or_else(|| invalid(key, value, "a finite number is needed"))
    }

    /// A finite number above zero.
    pub fn positive(&self, key: &'static str) -> Result<f64, Error> {
        let number = self.number_opt(key)?.ok_or(Error::Missing { key })?;
        if number > 0.0 { Ok(number) } else { Err(invalid(key, &number.into(), "it must be above zero")) }
    }

    /// A truth value, `default` when the key is absent.
    pub fn flag(&self, key: &'static str, default: Default) -> Result<bool, Error> {
        match self.get(key) {
            None => Ok(default == Default::True),
            Some(Value::Bool(on)) => Ok(*on),
            Some(other) => Err(invalid(key, other, "true or false is needed")),
        }
    }
}

/// What an absent flag means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Default {
    /// On.
    True,
    /// Off.
    False,
}

pub(crate) fn invalid(key: &'static str, found: &Value, expected: impl Into<String>) -> Error {
    let mut found = found.to_string();
    if found.chars().count() > 60 {
        found = found.chars().take(60).collect::<String>() + "…";
    }
    Error::Invalid { key, found, expected: expected.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn errors_name_the_key_and_what_is_wrong() {
        let config = Config::new(json!({"a": -1, "b": "x", "c": 1.5, "d": null}));
        assert!(config.count("a").unwrap_err().to_string().contains("\"a\": -1"));
        assert!(config.count("b").unwrap_err().to_string().contains("whole number"));
        assert!(config.count("c").is_err());
        assert_eq!(config.count("d"), Err(Error::Missing { key: "d" }));
        assert_eq!(config.number_opt("c"), Ok(Some(1.5)));
        assert!(config.flag("b", Default::True).is_err());
        assert_eq!(config.flag("e", Default::True), Ok(true));
    }
}
