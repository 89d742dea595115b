//! What may end a part.

/// Whatever went wrong, in words.
pub(crate) type Failure = Box<dyn std::error::Error>;

/// Why a part ends without having passed.
#[derive(Debug)]
pub(crate) enum Stop {
    /// Something is wrong.
    Failed(String),
    /// Its time was up first.
    OutOfTime(String),
}

impl<E: Into<Failure>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Failed(error.into().to_string())
    }
}
