//! Ids to text, one id at a time.

use crate::{SpecialsOut, Tokenizer};

/// Turns ids into text as they come. What was returned so far never changes, and all of it
/// together equals [`Tokenizer::decode`] of all ids.
#[derive(Clone, Debug)]
pub struct DecodeStream {
    tokenizer: Tokenizer,
    specials: SpecialsOut,
    /// The beginning of a character whose other bytes are still to come.
    held: Vec<u8>,
}

impl Tokenizer {
    /// Starts turning ids into text one at a time, without special tokens.
    #[must_use]
    pub fn stream(&self) -> DecodeStream {
        self.stream_with(SpecialsOut::Skip)
    }

    /// Starts turning ids into text one at a time.
    #[must_use]
    pub fn stream_with(&self, specials: SpecialsOut) -> DecodeStream {
        DecodeStream { tokenizer: self.clone(), specials, held: Vec::new() }
    }
}

impl DecodeStream {
    /// Takes the next id; returns the text that is now certain, which may be empty.
    pub fn push(&mut self, id: u32) -> String {
        self.push_as(id, self.specials)
    }

    /// The same for one id of which something else is wanted should it be a special token.
    pub fn push_as(&mut self, id: u32, specials: SpecialsOut) -> String {
        self.held.extend(self.tokenizer.output_bytes(id, specials));
        let mut text = String::new();
        let mut rest = self.held.as_slice();
        loop {
            match std::str::from_utf8(rest) {
                Ok(valid) => {
                    text.push_str(valid);
                    rest = &[];
                    break;
                }
                Err(error) => {
                    let (valid, invalid) = rest.split_at(error.valid_up_to());
                    text.push_str(&String::from_utf8_lossy(valid));
                    rest = invalid;
                    // No length means that the input may still become a character.
                    let Some(length) = error.error_len() else {
                        break;
                    };
                    text.push(char::REPLACEMENT_CHARACTER);
                    rest = &rest[length..];
                }
            }
        }
        let kept = rest.len();
        self.held.drain(..self.held.len() - kept);
        text
    }

    /// Ends the text: an unfinished character becomes U+FFFD.
    #[must_use]
    pub fn finish(self) -> String {
        String::from_utf8_lossy(&self.held).into_owned()
    }
}
