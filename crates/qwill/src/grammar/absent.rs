//! A build without the feature `grammar`.

use std::sync::Arc;

use qwill_grammar::Vocabulary;

use super::Engine;
use crate::Error;

/// There is none.
pub(crate) fn make_engine(_: Vocabulary) -> Result<Arc<dyn Engine>, Error> {
    Err(Error::Request(
        "a reply of a form needs a grammar engine, and this model has none: qwill was built without its feature \"grammar\", and \
         Model::set_grammar_engine was not called"
            .into(),
    ))
}
