//! Chat templates: a conversation to the text of a prompt, exactly as transformers renders it.

mod builtin;
mod clock;
mod filters;
mod numbers;
mod print;
mod python;
mod slices;
mod strings;
mod tojson;

use std::collections::BTreeMap;
use std::sync::Arc;

use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, Value, value::ValueKind};
use serde_json::{Map, Value as Json};

pub use self::builtin::Family;
use crate::Error;

/// What stands at the end of a prompt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GenerationPrompt {
    /// The header of the assistant's next message: the model answers.
    #[default]
    Add,
    /// Nothing: for training data, or to measure a conversation.
    Omit,
    /// Nothing, and the last message is left open: the model goes on writing it.
    Continue,
}

/// Whether the model should think before it answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Thinking {
    /// As the template has it.
    #[default]
    Default,
    /// `enable_thinking=True`
    On,
    /// `enable_thinking=False`
    Off,
}

/// A conversation, and what else a template may ask for.
#[derive(Clone, Debug, Default)]
pub struct ChatInput {
    /// Messages in OpenAI's shape. The order of keys is kept where a template prints them.
    pub messages: Vec<Json>,
    /// Tools in OpenAI's shape (`{"type": "function", "function": {…}}`).
    pub tools: Option<Vec<Json>>,
    /// What the prompt ends with.
    pub add_generation_prompt: GenerationPrompt,
    /// Whether to think.
    pub thinking: Thinking,
    /// Further variables: `bos_token` and the like, and what callers pass as template arguments.
    pub extra: Map<String, Json>,
}

/// A value as Python's `json.dumps` with `ensure_ascii=False` writes it.
pub(crate) fn python_json(value: &Json) -> Result<String, Error> {
    tojson::python_json(&python::value_of(value)).map_err(|e| describe(&e))
}

/// A chat template. Cloning is cheap.
#[derive(Clone)]
pub struct ChatTemplate {
    environment: Arc<Environment<'static>>,
    /// As it was given.
    source: Arc<str>,
    /// Variables that the template has besides those of a conversation.
    presets: Map<String, Json>,
}

impl std::fmt::Debug for ChatTemplate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChatTemplate").field("presets", &self.presets).finish_non_exhaustive()
    }
}

/// The name under which the template is registered.
const NAME: &str = "chat_template";

impl ChatTemplate {
    /// Reads a template in Jinja2's language.
    pub fn new(source: &str) -> Result<Self, Error> {
        let mut environment = Environment::new();
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
        environment.set_syntax(syntax.map_err(|e| describe(&e))?);
        environment.set_auto_escape_callback(|_| AutoEscape::None);
        // A template comes with a download; its recursion must not exhaust the stack.
        environment.set_recursion_limit(200);
        environment.set_debug(true);
        python::install(&mut environment);
        // Jinja2 reads every kind of line end as this one.
        let text = source.replace("\r\n", "\n").replace('\r', "\n");
        let text = slices::rewrite(&without_generation_tags(&text));
        environment.add_template_owned(NAME, text).map_err(|e| describe(&e))?;
        Ok(Self { environment: Arc::new(environment), source: source.into(), presets: Map::new() })
    }

    /// The format of a model family, for checkpoints that come without a template.
    pub fn builtin(family: Family) -> Result<Self, Error> {
        let mut template = Self::new(family.source())?;
        template.presets = family.presets();
        Ok(template)
    }

    /// The template as it was given.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The text of the prompt.
    pub fn render(&self, chat: &ChatInput) -> Result<String, Error> {
        let add_generation_prompt = chat.add_generation_prompt == GenerationPrompt::Add;
        let mut variables: BTreeMap<String, Value> = BTreeMap::new();
        for (name, value) in self.presets.iter().chain(&chat.extra) {
            variables.insert(name.clone(), python::value_of(value));
        }
        let messages: Vec<Value> = chat.messages.iter().map(python::value_of).collect();
        variables.insert("messages".into(), Value::from(messages));
        let tools = chat.tools.as_ref().map(|tools| tools.iter().map(python::value_of).collect::<Vec<_>>());
        variables.insert("tools".into(), tools.map_or(Value::from(()), Value::from));
        variables.insert(
            "documents".into(),
            chat.extra.get("documents").map_or(Value::from(()), python::value_of),
        );
        variables.insert("add_generation_prompt".into(), Value::from(add_generation_prompt));
        match chat.thinking {
            Thinking::Default => {}
            Thinking::On => drop(variables.insert("enable_thinking".into(), Value::from(true))),
            Thinking::Off => drop(variables.insert("enable_thinking".into(), Value::from(false))),
        }
        let template = self.environment.get_template(NAME).map_err(|e| describe(&e))?;
        let text = template.render(Value::from(variables)).map_err(|e| describe(&e))?;
        if chat.add_generation_prompt == GenerationPrompt::Continue {
            return cut_after_last_message(text, chat);
        }
        Ok(text)
    }
}

/// Cuts a rendered conversation right after the text of its last message.
fn cut_after_last_message(mut text: String, chat: &ChatInput) -> Result<String, Error> {
    let content = chat.messages.last().and_then(|message| message["content"].as_str()).ok_or_else(|| {
        Error::Conversation("to continue the last message, its content must be a text".to_owned())
    })?;
    // Templates often strip a message; then only the stripped text can be found.
    let stripped = content.trim();
    let found = text.rfind(stripped).ok_or_else(|| {
        Error::Conversation("the last message cannot be continued: the template changes its text".to_owned())
    })?;
    let after = found + stripped.len();
    let tail = &content[content.trim_end().len()..];
    let end = if text[after..].starts_with(tail) { after + tail.len() } else { after };
    text.truncate(end);
    Ok(text)
}

/// Turns `{% generation %}` blocks, with which transformers marks what an assistant wrote, into
/// blocks that do nothing. Like the original they are a scope of their own.
fn without_generation_tags(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(at) = rest.find("{%") {
        let (before, tag) = rest.split_at(at + 2);
        out.push_str(before);
        let trimmed = tag.trim_start_matches(['-', '+']);
        let name = trimmed.trim_start();
        let replacement =
            [("generation", "with"), ("endgeneration", "endwith")].into_iter().find(|(word, _)| {
                name.strip_prefix(word)
                    .is_some_and(|end| end.trim_start().trim_start_matches(['-', '+']).starts_with("%}"))
            });
        rest = match replacement {
            Some((word, instead)) => {
                out.push_str(&tag[..tag.len() - name.len()]);
                out.push_str(instead);
                &name[word.len()..]
            }
            None => tag,
        };
    }
    out.push_str(rest);
    out
}

/// A template engine's error in our terms.
fn describe(error: &minijinja::Error) -> Error {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    let mut innermost = error;
    while let Some(current) = cause {
        if let Some(python::Raised(message)) = current.downcast_ref() {
            return Error::Refused(message.clone());
        }
        if let Some(error) = current.downcast_ref() {
            innermost = error;
        }
        cause = current.source();
    }
    let mut message = match innermost.detail() {
        Some(detail) => format!("{}: {detail}", innermost.kind()),
        None => innermost.kind().to_string(),
    };
    // Templates are often one long line, so the line alone does not say where the error is.
    if let (Some(source), Some(range)) = (innermost.template_source(), innermost.range())
        && let Some(place) = source.get(range).filter(|place| place.len() < 200)
    {
        message.push_str(&format!(", in `{place}`"));
    }
    Error::Template { line: innermost.line().or_else(|| error.line()), message }
}

/// Whether a value is a list to Python, however the engine keeps it.
fn is_list(value: &Value) -> bool {
    matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable)
}
