//! The chat templates of a checkpoint, by name.

use std::collections::BTreeMap;

use qwill_text::{ChatTemplate, TemplateUse};

use crate::Error;

/// The usual one.
pub(crate) const DEFAULT: &str = "default";
/// The one for conversations that offer tools.
pub(crate) const TOOL_USE: &str = "tool_use";

/// A checkpoint's chat templates.
#[derive(Clone, Default)]
pub(crate) struct Templates {
    sources: BTreeMap<String, String>,
    /// Those that are used without being asked for; others are read when they are.
    plain: Option<ChatTemplate>,
    tools: Option<ChatTemplate>,
}

impl Templates {
    /// Takes names and sources; of two with one name the later counts.
    pub(crate) fn new(sources: impl IntoIterator<Item = (String, String)>) -> Result<Self, Error> {
        let sources: BTreeMap<String, String> = sources.into_iter().collect();
        let read = |name: &str| sources.get(name).map(|source| ChatTemplate::new(source)).transpose();
        let plain = read(DEFAULT)?;
        let tools = read(TOOL_USE)?.or_else(|| plain.clone());
        Ok(Self { sources, plain, tools })
    }

    /// What a conversation is rendered with that asks for none by name.
    pub(crate) fn usual(&self, for_what: TemplateUse) -> Option<&ChatTemplate> {
        match for_what {
            TemplateUse::Plain => self.plain.as_ref(),
            TemplateUse::Tools => self.tools.as_ref(),
        }
    }

    /// The one of this name.
    pub(crate) fn named(&self, name: &str) -> Result<ChatTemplate, Error> {
        if let Some(source) = self.sources.get(name) {
            return Ok(ChatTemplate::new(source)?);
        }
        let names: Vec<&str> = self.sources.keys().map(String::as_str).collect();
        let there = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        Err(Error::Request(format!("the model has no chat template \"{name}\"; it has {there}")))
    }

    /// Names and sources.
    pub(crate) fn sources(&self) -> impl Iterator<Item = (&str, &str)> {
        self.sources.iter().map(|(name, source)| (name.as_str(), source.as_str()))
    }
}
