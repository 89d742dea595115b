//! What every file format comes down to, and the tokenizer made of it.

use tokenizers::models::bpe::{BPE, Merges, Vocab};
use tokenizers::normalizers::NFC;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{PostProcessorWrapper, SplitDelimiterBehavior};

use super::added::Added;
use super::{Inner, TokenizerConfig, TypedNames, alphabet};
use crate::Error;

/// How Qwen1 to Qwen3-Next cut text into words, inside which byte pairs may merge.
pub(super) const LETTERS: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
/// How Qwen3.5 and later do: combining marks stay with their letters.
pub(super) const LETTERS_AND_MARKS: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// The expression equal to `pattern`, if a Qwen model uses it.
pub(super) fn known_pattern(file: &'static str, pattern: &str) -> Result<&'static str, Error> {
    [LETTERS, LETTERS_AND_MARKS].into_iter().find(|&known| known == pattern).ok_or_else(|| {
        Error::tokenizer(file, format!("it splits text by an expression that no Qwen model uses: {pattern}"))
    })
}

/// The expression of a vocabulary of which only the size is known.
pub(super) fn pattern_for(tokens: u32) -> &'static str {
    // Qwen1 to Qwen3-Next share 151643 tokens, Qwen3.5 and later 248044.
    if tokens >= 248_044 { LETTERS_AND_MARKS } else { LETTERS }
}

/// The parts of a byte-level BPE tokenizer.
pub(super) struct Parts {
    /// Where they come from, for messages.
    pub(super) file: &'static str,
    /// Tokens in the spelling of [`alphabet`].
    pub(super) vocab: Vocab,
    /// Pairs of tokens, the earliest merge first.
    pub(super) merges: Merges,
    pub(super) added: Vec<Added>,
    pub(super) pattern: &'static str,
    /// Whether text is brought to NFC.
    pub(super) normalise: bool,
    pub(super) post_processor: Option<PostProcessorWrapper>,
    pub(super) config: TokenizerConfig,
}

impl Parts {
    /// Parts as most files mean them: text becomes NFC, and nothing stands around it.
    pub(super) fn new(file: &'static str, vocab: Vocab, merges: Merges, pattern: &'static str) -> Self {
        let config = TokenizerConfig::default();
        let (added, normalise, post_processor) = (Vec::new(), true, None);
        Self { file, vocab, merges, added, pattern, normalise, post_processor, config }
    }

    /// One more than the highest id in the vocabulary.
    pub(super) fn end(&self) -> Result<u32, Error> {
        /// Higher ids would make the tables of other parts absurdly large.
        const LIMIT: u32 = 1 << 24;
        let last = self.vocab.values().copied().max();
        if let Some(id) = last.filter(|&id| id >= LIMIT) {
            return Err(Error::tokenizer(self.file, format!("token id {id} is beyond any vocabulary")));
        }
        Ok(last.map_or(0, |id| id + 1))
    }

    /// Puts the parts together.
    pub(super) fn assemble(mut self) -> Result<Inner, Error> {
        self.check_bytes()?;
        self.check_merges()?;
        self.added.retain(|added| !added.token.content.is_empty());
        for Added { id, token } in &self.added {
            // An added token takes the id that the vocabulary has for it.
            self.vocab.entry(token.content.clone()).or_insert(*id);
        }
        let n_tokens = self.end()? as usize;
        let names: Vec<(&str, bool)> =
            self.added.iter().map(|Added { token, .. }| (token.content.as_str(), token.special)).collect();
        let typed_names =
            TypedNames::new(&names).map_err(|error| Error::tokenizer(self.file, error.to_string()))?;
        let library = self.library().map_err(|error| Error::tokenizer(self.file, error.to_string()))?;
        Ok(Inner { library, n_tokens, pattern: self.pattern, typed_names, config: self.config })
    }

    fn library(&mut self) -> tokenizers::Result<tokenizers::Tokenizer> {
        let (vocab, merges) = (std::mem::take(&mut self.vocab), std::mem::take(&mut self.merges));
        let mut library = tokenizers::Tokenizer::new(BPE::builder().vocab_and_merges(vocab, merges).build()?);
        let words = SplitPattern::Regex(self.pattern.to_owned());
        let words = Split::new(words, SplitDelimiterBehavior::Isolated, false)?;
        let bytes = ByteLevel::new(false, false, false);
        library.with_normalizer(self.normalise.then_some(NFC))?;
        library.with_pre_tokenizer(Some(Sequence::new(vec![words.into(), bytes.into()])));
        library.with_post_processor(self.post_processor.take());
        library.add_tokens(self.added.drain(..).map(|added| added.token))?;
        Ok(library)
    }

    /// Without a token for every byte some text could not be encoded.
    fn check_bytes(&self) -> Result<(), Error> {
        let mut spelled = (0..=255).map(|byte| (byte, alphabet::char_of(byte).to_string()));
        match spelled.find(|(_, spelled)| !self.vocab.contains_key(spelled)) {
            None => Ok(()),
            Some((byte, spelled)) => Err(Error::tokenizer(
                self.file,
                format!(
                    "the vocabulary has no token for the single byte {byte:#04x} (spelled {spelled:?}), so it is not a byte-level vocabulary"
                ),
            )),
        }
    }

    /// The library reports these without their pair, and panics at some.
    fn check_merges(&self) -> Result<(), Error> {
        let mut joined = String::new();
        for (rank, (left, right)) in self.merges.iter().enumerate() {
            joined.clear();
            joined.push_str(left);
            joined.push_str(right);
            if let Some(lacking) = [&joined, left, right].into_iter().find(|&t| !self.vocab.contains_key(t)) {
                return Err(Error::tokenizer(
                    self.file,
                    format!(
                        "merge {} ({left:?} + {right:?}) needs {lacking:?}, which the vocabulary lacks",
                        rank + 1
                    ),
                ));
            }
        }
        Ok(())
    }
}

/// Splits a merge written as one string.
pub(super) fn merge_of_line(file: &'static str, line: &str) -> Result<(String, String), Error> {
    match line.split_once(' ') {
        Some((left, right)) if !left.is_empty() && !right.is_empty() && !right.contains(' ') => {
            Ok((left.to_owned(), right.to_owned()))
        }
        _ => Err(Error::tokenizer(file, format!("the merge {line:?} is not two tokens"))),
    }
}

#[cfg(test)]
mod tests {
    use tokenizers::{OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer};

    use super::*;

    /// Random texts of awkward characters, cut by the reference implementation.
    #[test]
    fn words_are_those_of_the_reference() {
        let golden: serde_json::Value =
            serde_json::from_str(include_str!("../../tests/data/tokenizers/texts.json")).unwrap();
        let texts = golden["texts"].as_array().unwrap();
        assert!(texts.len() > 200);
        for (key, pattern) in [("pieces_qwen2", LETTERS), ("pieces_qwen35", LETTERS_AND_MARKS)] {
            let pattern = SplitPattern::Regex(pattern.to_owned());
            let words = Split::new(pattern, SplitDelimiterBehavior::Isolated, false).unwrap();
            for (text, expected) in texts.iter().zip(golden[key].as_array().unwrap()) {
                let mut pieces = PreTokenizedString::from(text.as_str().unwrap());
                words.pre_tokenize(&mut pieces).unwrap();
                let pieces = pieces.get_splits(OffsetReferential::Original, OffsetType::Byte);
                let pieces: Vec<&str> = pieces.into_iter().map(|(piece, _, _)| piece).collect();
                assert_eq!(serde_json::json!(pieces), *expected, "{key}: {text:?}");
            }
        }
    }
}
