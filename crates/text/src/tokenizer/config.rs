//! `tokenizer_config.json`: the template, the names of the special tokens, extra added tokens.

use serde_json::{Map, Value};

use super::added::Added;
use crate::Error;

/// Name of the file in messages.
const FILE: &str = "tokenizer_config.json";

/// What `tokenizer_config.json` says beyond the vocabulary.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TokenizerConfig {
    /// Chat templates by name; the usual single one is called `default`.
    templates: Vec<(String, String)>,
    /// `bos_token`, `eos_token`, `pad_token`, `unk_token` and the like, as templates see them.
    pub(super) special_names: Map<String, Value>,
    pub(super) added: Vec<Added>,
    pub(super) pretokenize_regex: Option<String>,
}

impl TokenizerConfig {
    /// Reads the file.
    pub fn from_json(json: &[u8]) -> Result<Self, Error> {
        let root: Map<String, Value> =
            serde_json::from_slice(json).map_err(|source| Error::Json { file: FILE, source })?;
        let mut config = Self {
            pretokenize_regex: root.get("pretokenize_regex").and_then(Value::as_str).map(str::to_owned),
            ..Self::default()
        };
        match root.get("chat_template") {
            Some(Value::String(source)) => {
                config.templates.push(("default".to_owned(), source.clone()));
            }
            Some(Value::Array(named)) => {
                for entry in named {
                    if let (Some(name), Some(source)) = (entry["name"].as_str(), entry["template"].as_str()) {
                        config.templates.push((name.to_owned(), source.to_owned()));
                    }
                }
            }
            _ => {}
        }
        for (key, value) in &root {
            if !key.ends_with("_token") {
                continue;
            }
            // A special token is a string, or an object that has the string as its `content`.
            if let Some(text) = value.as_str().or_else(|| value["content"].as_str()) {
                config.special_names.insert(key.clone(), Value::from(text));
            }
        }
        if let Some(Value::Object(added)) = root.get("added_tokens_decoder") {
            for (id, token) in added {
                let (Ok(id), Some(text)) = (id.parse(), token["content"].as_str()) else {
                    return Err(Error::tokenizer(
                        FILE,
                        format!("added_tokens_decoder has no usable token under the key {id:?}"),
                    ));
                };
                let flag = |key| token[key].as_bool().unwrap_or(false);
                let mut added = Added::new(id, text, flag("special"));
                added.token.single_word = flag("single_word");
                added.token.lstrip = flag("lstrip");
                added.token.rstrip = flag("rstrip");
                config.added.push(added);
            }
        }
        Ok(config)
    }

    /// The chat template: the one for tools if there are tools and it exists, else the default.
    #[must_use]
    pub fn chat_template(&self, for_tools: TemplateUse) -> Option<&str> {
        let named = |wanted: &str| {
            self.templates.iter().find(|(name, _)| name == wanted).map(|(_, source)| source.as_str())
        };
        match for_tools {
            TemplateUse::Tools => named("tool_use").or_else(|| named("default")),
            TemplateUse::Plain => named("default"),
        }
    }

    /// All chat templates with their names; the usual single one is called `default`.
    pub fn chat_templates(&self) -> impl Iterator<Item = (&str, &str)> {
        self.templates.iter().map(|(name, source)| (name.as_str(), source.as_str()))
    }

    /// `bos_token`, `eos_token` and so on, for [`ChatInput::extra`](crate::ChatInput::extra).
    #[must_use]
    pub fn special_names(&self) -> &Map<String, Value> {
        &self.special_names
    }

    /// The end-of-text token that the file names.
    #[must_use]
    pub fn eos_token(&self) -> Option<&str> {
        self.special_names.get("eos_token").and_then(Value::as_str)
    }
}

/// What a chat template is needed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TemplateUse {
    /// A conversation without tools.
    Plain,
    /// A conversation that offers tools.
    Tools,
}
