//! Grammars over a vocabulary.

use std::sync::Arc;

use llguidance::ParserFactory;
use llguidance::api::TopLevelGrammar;
use llguidance::earley::SlicedBiasComputer;
use llguidance::toktrie::{InferenceCapabilities, TokEnv};
use serde_json::Value;

use crate::environment::Environment;
use crate::locate::locate;
use crate::{Error, Grammar, Matcher, Vocabulary, gbnf, own_stack, schema, words};

/// Characters of a grammar's text, about as many as llguidance compiles within a second.
const LONGEST: usize = 1 << 18;
/// Rules of a grammar; llguidance goes from one to the next with its stack.
const MOST_RULES: usize = 4000;
/// What may be spent on a grammar's lexer, half of what llguidance spends by itself.
const MOST_FUEL: u64 = 500_000;
/// States of a lexer, each of one or two kilobytes.
const MOST_STATES: usize = 50_000;

fn top_level(grammar: &Grammar) -> Result<TopLevelGrammar, String> {
    Ok(match grammar {
        Grammar::JsonSchema(schema) => TopLevelGrammar::from_json_schema(schema::prepare(schema)?),
        Grammar::Regex(regex) => TopLevelGrammar::from_regex(checked(regex)?),
        Grammar::Lark(text) => TopLevelGrammar::from_lark(checked(text)?.into()),
        Grammar::Gbnf(text) => TopLevelGrammar::from_lark(gbnf::to_lark(checked(text)?)?),
    })
}

/// A text that is not too long.
fn checked(text: &str) -> Result<&str, String> {
    let (length, n_lines) = (text.len(), text.lines().count());
    if length > LONGEST {
        return Err(format!("it has {length} bytes, more than {LONGEST}"));
    }
    if n_lines > MOST_RULES {
        return Err(format!("it has {n_lines} lines, more than {MOST_RULES}"));
    }
    Ok(text)
}

/// Grammars over a vocabulary. Making it takes a while, compiling a grammar less.
pub struct Grammars(ParserFactory);

impl std::fmt::Debug for Grammars {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Grammars").finish_non_exhaustive()
    }
}

impl Grammars {
    /// Prepares a vocabulary.
    ///
    /// # Errors
    /// If it has no token that ends a text, or llguidance cannot use it.
    pub fn new(vocabulary: Vocabulary) -> Result<Self, Error> {
        let environment = Environment::new(vocabulary);
        let environment = environment.ok_or_else(|| Error::Vocabulary("no token ends a text".into()))?;
        let environment: TokEnv = Arc::new(environment);
        let capabilities = InferenceCapabilities { ff_tokens: true, ..InferenceCapabilities::default() };
        let slices = SlicedBiasComputer::json_slices();
        let factory = ParserFactory::new(&environment, capabilities, &slices);
        let mut factory = factory.map_err(|error| Error::Vocabulary(error.to_string()))?;
        factory.quiet();
        factory.limits_mut().verbose_errors = false;
        factory.limits_mut().max_lexer_states = MOST_STATES;
        factory.limits_mut().initial_lexer_fuel = MOST_FUEL;
        Ok(Self(factory))
    }

    /// The beginning of a text that a grammar describes.
    ///
    /// # Errors
    /// If the grammar makes no sense, asks for what is not supported, by name, or describes no text.
    pub fn compile(&self, grammar: &Grammar) -> Result<Matcher, Error> {
        let kind = grammar.kind();
        let compiled = own_stack::run(|| {
            self.begin(top_level(grammar)?).map_err(|reason| match grammar {
                Grammar::JsonSchema(schema) => self.locate(schema, reason),
                _ => reason,
            })
        });
        compiled.and_then(|compiled| compiled).map_err(|reason| Error::Grammar { kind, reason })
    }

    fn begin(&self, grammar: TopLevelGrammar) -> Result<Matcher, String> {
        let matcher = llguidance::Matcher::new(self.0.create_parser(grammar));
        if let Some(reason) = matcher.get_error() {
            return Err(words::plain(&reason));
        }
        let matcher = Matcher::new(matcher);
        // what cannot begin is better said now than when a prompt was read
        let mut trial = matcher.clone();
        let begins = trial.may_go_on().and_then(|goes_on| match goes_on {
            true => trial.force().map(|_| true),
            false => Ok(false),
        });
        match begins {
            Ok(true) => Ok(matcher),
            Ok(false) => Err("it describes no text".into()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// What llguidance says of a schema, with the place.
    fn locate(&self, schema: &Value, reason: String) -> String {
        let Ok(prepared) = schema::prepare(schema) else { return reason };
        locate(&prepared, reason, |part| {
            let parser = self.0.create_parser(TopLevelGrammar::from_json_schema(part.clone()));
            llguidance::Matcher::new(parser).get_error().map(|reason| words::plain(&reason))
        })
    }
}
