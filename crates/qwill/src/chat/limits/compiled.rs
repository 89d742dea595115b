//! From what a request says to a constraint.

use qwill_grammar::{Grammar, Grammars, Vocabulary};
use qwill_text::{ChatTemplate, Family, Specials, TemplateUse, Tokenizer};

use super::calls;
use super::reply::{Form, ReplyConstraint};
use super::{Limits, MaskTimes, Thoughts};
use crate::chat::{GrammarSyntax, GrammarText, ResponseFormat, ToolChoice};
use crate::{ChatRequest, Error, Model};

impl From<qwill_grammar::Error> for Error {
    fn from(error: qwill_grammar::Error) -> Self {
        Self::Request(error.to_string())
    }
}

/// Grammars over a tokenizer's tokens, of which `ends` end a text.
fn grammars(tokenizer: Option<&Tokenizer>, ends: &[u32]) -> Result<Grammars, qwill_grammar::Error> {
    let no_tokenizer = || qwill_grammar::Error::Vocabulary("the model has no tokenizer".into());
    let tokenizer = tokenizer.ok_or_else(no_tokenizer)?;
    let bytes = |id: u32| {
        let bytes = tokenizer.token_bytes(id).unwrap_or_default();
        let is_written = !tokenizer.is_added(id) && !tokenizer.is_special(id);
        if is_written { bytes } else { Vocabulary::special(&String::from_utf8_lossy(&bytes)) }
    };
    let tokens = (0..tokenizer.n_tokens() as u32).map(bytes).collect();
    let tokenizer = tokenizer.clone();
    let encode = move |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        tokenizer.encode(&text, Specials::AsText).unwrap_or_default()
    };
    Grammars::new(Vocabulary { tokens, ends: ends.to_vec(), encode: Box::new(encode) })
}

impl ChatRequest {
    /// What its text must be, if it says.
    fn wanted_text(&self) -> Result<Option<Grammar>, Error> {
        let format = self.response_format.as_ref().and_then(|format| match format {
            ResponseFormat::Text => None,
            ResponseFormat::JsonObject => Some(Grammar::json_object()),
            ResponseFormat::JsonSchema(named) => Some(Grammar::JsonSchema(named.schema.clone())),
        });
        let regex = self.regex.clone().map(Grammar::Regex);
        let grammar = self.grammar.clone().map(|GrammarText { syntax, definition }| match syntax {
            GrammarSyntax::Lark => Grammar::Lark(definition),
            GrammarSyntax::Gbnf => Grammar::Gbnf(definition),
        });
        let mut wanted = [format, regex, grammar].into_iter().flatten();
        match (wanted.next(), wanted.next()) {
            (_, Some(_)) => Err(Error::Request(
                "response_format, regex and grammar exclude each other: the text can follow one of them"
                    .into(),
            )),
            (wanted, None) => Ok(wanted),
        }
    }
}

impl Model {
    /// Those of the model's vocabulary, made when they are first needed.
    fn grammars(&self, ends: &[u32]) -> Result<&Grammars, Error> {
        // those of a single request may differ
        let own = &self.generation_config().eos_ids;
        let ends = if own.is_empty() { ends } else { own };
        let made = self.0.grammars.get_or_init(|| grammars(self.facts().tokenizer.as_ref(), ends));
        made.as_ref().map_err(|error| error.clone().into())
    }

    /// What limits the reply to a request, if anything does. `ends` are the tokens that end it.
    pub(crate) fn limits(
        &self,
        request: &ChatRequest,
        thoughts: Thoughts,
        ends: &[u32],
    ) -> Result<Option<Limits>, Error> {
        let text = request.wanted_text()?;
        let tools = request.tools.as_deref().filter(|_| request.prompt.is_none()).unwrap_or_default();
        let choice = request.tool_choice.clone().unwrap_or_default();
        let tokenizer = self.tokenizer()?;
        let form = match (text, &choice) {
            (Some(_), ToolChoice::Required | ToolChoice::Named(_)) => {
                return Err(Error::Request(
                    "a reply that must call tools has no text, so that response_format, regex and grammar say nothing".into(),
                ));
            }
            (Some(_), ToolChoice::Auto) if !tools.is_empty() => {
                return Err(Error::Request(
                    "a text that follows a format leaves no room for calls: leave the tools out, say tool_choice: \"none\", or \
                     \"required\" without a format"
                        .into(),
                ));
            }
            (Some(grammar), _) => Form::Whole(self.grammars(ends)?.compile(&grammar)?),
            (None, _) => {
                let Some(calls) =
                    calls::limited(request, tools, &choice, || self.template_text(request), tokenizer)?
                else {
                    return Ok(None);
                };
                let grammars = self.grammars(ends)?;
                let compiled = grammars.compile(&calls.grammar)?;
                match calls.begin {
                    None => Form::Whole(compiled),
                    Some(begin) => Form::Calls { begin, call: compiled, most: calls.most },
                }
            }
        };
        let times = MaskTimes::default();
        let constraint = ReplyConstraint::new(form, thoughts, ends, tokenizer, times.clone());
        Ok(Some(Limits { constraint: Box::new(constraint), times }))
    }

    /// The chat template for tools, if there is one.
    fn template_text(&self, request: &ChatRequest) -> Result<Option<String>, Error> {
        let facts = self.facts();
        if let Some(name) = &request.chat_template {
            return Ok(Some(facts.templates.named(name)?.source().to_owned()));
        }
        if let Some(template) = facts.templates.usual(TemplateUse::Tools) {
            return Ok(Some(template.source().to_owned()));
        }
        match Family::of(facts.plan.architecture, &facts.name, self.tokenizer()?)? {
            Family::Qwen1 => Ok(None),
            family => Ok(Some(ChatTemplate::builtin(family)?.source().to_owned())),
        }
    }
}
