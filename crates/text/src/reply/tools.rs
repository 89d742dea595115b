//! The tools on offer, as far as replies need them.

use serde_json::Value;

use super::schema_type::Admitted;

/// Declared tools.
#[derive(Clone, Debug, Default)]
pub(super) struct Tools(Vec<Value>);

impl Tools {
    pub(super) fn new(tools: &[Value]) -> Self {
        // OpenAI's shape has the declaration one level below.
        Self(tools.iter().map(|tool| tool.get("function").unwrap_or(tool).clone()).collect())
    }

    pub(super) fn is_declared(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Whether a declared tool's name begins like this.
    pub(super) fn may_be_declared(&self, begin: &str) -> bool {
        self.0.iter().filter_map(|tool| tool["name"].as_str()).any(|name| name.starts_with(begin))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What values a tool's parameter may have.
    pub(super) fn parameter(&self, tool: &str, key: &str) -> Admitted {
        match self.get(tool) {
            Some(tool) => Admitted::by_parameter(&tool["parameters"], key),
            // Another tool's call may have been meant.
            None if !self.is_empty() => Admitted::ALL,
            None => Admitted::UNKNOWN,
        }
    }

    /// Whether a tool declares a parameter; nothing where the tool or its parameters are not known.
    pub(super) fn declares(&self, tool: &str, key: &str) -> Option<bool> {
        Admitted::declares(&self.get(tool)?["parameters"], key)
    }

    fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|tool| tool["name"] == name)
    }
}
