//! Where a model comes from.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use qwill::Model;

/// Why a model cannot be loaded. A [`qwill::Error`] that says there is no room makes room and tries again.
pub type LoadError = Box<dyn Error + Send + Sync>;

pub(crate) type Loader = Arc<dyn Fn() -> Result<Model, LoadError> + Send + Sync>;

/// When a model is loaded first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoadAt {
    /// Before the server answers.
    Start,
    /// When a request names it.
    FirstUse,
}

/// A model by the name that requests use, and how it is loaded.
#[derive(Clone)]
pub struct ModelSource {
    pub(crate) name: String,
    pub(crate) at: LoadAt,
    pub(crate) loader: Loader,
}

impl ModelSource {
    /// A model that `load` loads, which may block, and is called again after the model was put away.
    pub fn new(
        name: impl Into<String>,
        at: LoadAt,
        load: impl Fn() -> Result<Model, LoadError> + Send + Sync + 'static,
    ) -> Self {
        Self { name: name.into(), at, loader: Arc::new(load) }
    }
}

impl fmt::Debug for ModelSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ModelSource").field("name", &self.name).field("at", &self.at).finish_non_exhaustive()
    }
}
