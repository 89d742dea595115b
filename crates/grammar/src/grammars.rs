//! Grammars over a vocabulary.

use std::sync::Arc;

use llguidance::ParserFactory;
use llguidance::api::TopLevelGrammar;
use llguidance::earley::SlicedBiasComputer;
use llguidance::toktrie::{InferenceCapabilities, TokEnv};

use crate::environment::Environment;
use crate::{Error, Grammar, Matcher, Vocabulary, gbnf, with_white_space};

fn kind_of(grammar: &Grammar) -> &'static str {
    match grammar {
        Grammar::JsonSchema(_) => "JSON schema",
        Grammar::Regex(_) => "regular expression",
        Grammar::Lark(_) | Grammar::Gbnf(_) => "grammar",
    }
}

fn top_level(grammar: &Grammar) -> Result<TopLevelGrammar, String> {
    Ok(match grammar {
        Grammar::JsonSchema(schema) => TopLevelGrammar::from_json_schema(with_white_space(schema)),
        Grammar::Regex(regex) => TopLevelGrammar::from_regex(regex),
        Grammar::Lark(text) => TopLevelGrammar::from_lark(text.clone()),
        Grammar::Gbnf(text) => TopLevelGrammar::from_lark(gbnf::to_lark(text)?),
    })
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
        Ok(Self(factory))
    }

    /// The beginning of a text that a grammar describes.
    ///
    /// # Errors
    /// If the grammar makes no sense, or asks for what is not supported, by name.
    pub fn compile(&self, grammar: &Grammar) -> Result<Matcher, Error> {
        let fail = |reason: String| Error::Grammar { kind: kind_of(grammar), reason };
        let parser = self.0.create_parser(top_level(grammar).map_err(fail)?);
        let matcher = llguidance::Matcher::new(parser);
        match matcher.get_error() {
            Some(reason) => Err(fail(reason)),
            None => Ok(Matcher::new(matcher)),
        }
    }
}
