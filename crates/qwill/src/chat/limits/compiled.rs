//! From what a request says to a constraint.

use std::sync::{Arc, MutexGuard, PoisonError};

use qwill_grammar::{Grammar, Vocabulary, for_lark};
use qwill_scheduler::Constraint;
use qwill_text::{ChatTemplate, Family, TemplateUse};

use super::calls;
use super::reply::{Form, ReplyConstraint};
use super::{Limits, MaskTimes, Thoughts, Wanted};
use crate::chat::{GrammarSyntax, GrammarText, ResponseFormat, ToolChoice};
use crate::grammar::{self, Engine};
use crate::{ChatRequest, Error, Model};

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

/// What stands for a text behind the name of a rule in Lark.
fn in_lark(grammar: &Grammar) -> Result<String, Error> {
    match grammar {
        Grammar::JsonSchema(schema) => Ok(format!("%json {}", for_lark(schema)?)),
        Grammar::Regex(regex) => Ok(format!("/{}/", regex.replace('/', "\\/").replace('\n', "\\n"))),
        Grammar::Lark(_) | Grammar::Gbnf(_) => Err(Error::Request(
            "a grammar beside tools that may be called is not supported: leave the tools out, say tool_choice: \"none\", or write \
             the calls into the grammar"
                .into(),
        )),
    }
}

impl Model {
    /// What an engine for grammars must know before the reply to a request can begin. `None` where the reply follows none, or the
    /// model has an engine.
    ///
    /// ```no_run
    /// # fn example(model: &qwill::Model, request: &qwill::ChatRequest) -> Result<(), qwill::Error> {
    /// # fn my_engine(_: qwill::grammar::Vocabulary) -> std::sync::Arc<dyn qwill::grammar::Engine> { todo!() }
    /// if let Some(vocabulary) = model.missing_vocabulary(request)? {
    ///     model.set_grammar_engine(my_engine(vocabulary));
    /// }
    /// let stream = model.chat(request)?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// If what the request says of its reply's form makes no sense.
    pub fn missing_vocabulary(&self, request: &ChatRequest) -> Result<Option<Vocabulary>, Error> {
        if self.grammar_engine().is_some() || self.wanted(request)?.is_none() {
            return Ok(None);
        }
        let ends = self.prompt(request)?.eos_ids;
        self.vocabulary(&ends).map(Some)
    }

    /// Has replies follow grammars by this engine, in place of one that the model had or would make.
    /// [`missing_vocabulary`](Self::missing_vocabulary) has an example.
    pub fn set_grammar_engine(&self, engine: Arc<dyn Engine>) {
        *self.slot() = Some(engine);
    }

    fn slot(&self) -> MutexGuard<'_, Option<Arc<dyn Engine>>> {
        self.0.grammar_engine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn grammar_engine(&self) -> Option<Arc<dyn Engine>> {
        self.slot().clone()
    }

    /// The model's tokens. `ends` end the text of a request, and count where the model itself names no end.
    fn vocabulary(&self, ends: &[u32]) -> Result<Vocabulary, Error> {
        let own = &self.generation_config().eos_ids;
        Ok(grammar::vocabulary(self.tokenizer()?, if own.is_empty() { ends } else { own }))
    }

    /// The beginning of a text that a grammar describes.
    fn compile(&self, wanted: &Grammar, ends: &[u32]) -> Result<Box<dyn Constraint>, Error> {
        // held while it is made: others wait for it rather than making one, too
        let mut slot = self.slot();
        let engine = match &*slot {
            Some(engine) => engine.clone(),
            None => slot.insert(grammar::make_engine(self.vocabulary(ends)?)?).clone(),
        };
        drop(slot);
        engine.compile(wanted)
    }

    /// What limits the reply to a request, if anything does. `ends` are the tokens that end it.
    pub(crate) fn limits(
        &self,
        request: &ChatRequest,
        thoughts: Thoughts,
        ends: &[u32],
    ) -> Result<Option<Limits>, Error> {
        let Some(Wanted { grammar, begin, most }) = self.wanted(request)? else { return Ok(None) };
        let compiled = self.compile(&grammar, ends)?;
        let form = match begin {
            None => Form::Whole(compiled),
            Some(begin) => Form::Calls { begin, call: compiled, most },
        };
        let times = MaskTimes::default();
        let constraint = ReplyConstraint::new(form, thoughts, ends, self.tokenizer()?, times.clone());
        Ok(Some(Limits { constraint: Box::new(constraint), times }))
    }

    /// What the reply to a request must follow, if it must follow anything.
    fn wanted(&self, request: &ChatRequest) -> Result<Option<Wanted>, Error> {
        let text = request.wanted_text()?;
        let tools = request.tools.as_deref().filter(|_| request.prompt.is_none()).unwrap_or_default();
        let choice = request.tool_choice.clone().unwrap_or_default();
        match (text, &choice) {
            (Some(_), ToolChoice::Required | ToolChoice::Named(_)) => Err(Error::Request(
                "a reply that must call tools has no text, so that response_format, regex and grammar say nothing".into(),
            )),
            (Some(grammar), ToolChoice::Auto) if !tools.is_empty() => {
                let text = in_lark(&grammar)?;
                calls::limited(request, tools, &choice, Some(&text), || self.template_text(request), self.tokenizer()?)
            }
            (Some(grammar), _) => Ok(Some(Wanted { grammar, begin: None, most: usize::MAX })),
            (None, _) => {
                calls::limited(request, tools, &choice, None, || self.template_text(request), self.tokenizer()?)
            }
        }
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
