//! What a model writes with.

/// From bytes to tokens.
pub type Encode = Box<dyn Fn(&[u8]) -> Vec<u32> + Send + Sync>;

/// What tokens begin with that are never written as text.
pub(crate) const SPECIAL_MARKER: u8 = 0xff;

/// A model's tokens.
pub struct Vocabulary {
    /// The bytes of each by its id; for tokens that stand for more than their name, what [`Self::special`] makes of it.
    pub tokens: Vec<Vec<u8>>,
    /// Those that end a text; at least one.
    pub ends: Vec<u32>,
    /// The tokens that the model's tokenizer makes of bytes.
    pub encode: Encode,
}

impl Vocabulary {
    /// A token that is never written as text, such as `<|im_end|>`: grammars name it without quotes.
    pub fn special(name: &str) -> Vec<u8> {
        [&[SPECIAL_MARKER], name.as_bytes()].concat()
    }
}
