//! `qwen.tiktoken` of Qwen1: base64 of each token and its rank, which is also its id.

use rustc_hash::FxHashMap;

use super::added::{AddedToken, AddedTokens};
use super::bpe::{Bpe, Merge};
use super::config::TokenizerConfig;
use super::split::Splitter;
use super::vocabulary::Vocabulary;
use super::{Inner, spelled};
use crate::Error;

const FILE: &str = "qwen.tiktoken";
/// Qwen1 reserves `<|extra_0|>` up to here; its multimodal models give some of them new names.
const EXTRA_TOKENS: u32 = 205;

/// Reads the file.
pub(super) fn from_tiktoken(file: &[u8]) -> Result<Inner, Error> {
    let text = std::str::from_utf8(file).map_err(|_| Error::tokenizer(FILE, "it is not text"))?;
    let mut ids: FxHashMap<Vec<u8>, u32> = FxHashMap::default();
    let mut vocabulary = Vocabulary::default();
    for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let parsed = line
            .split_once(' ')
            .and_then(|(token, rank)| Some((base64(token)?, rank.trim().parse::<u32>().ok()?)));
        let Some((token, id)) = parsed else {
            return Err(Error::tokenizer(FILE, format!("line {} is not base64, a space and a rank", at + 1)));
        };
        spelled::check_id(FILE, id)?;
        vocabulary.insert(id, &token);
        ids.entry(token).or_insert(id);
    }
    let mut byte_ids = Box::new([0; 256]);
    for byte in 0..=255u8 {
        byte_ids[usize::from(byte)] = *ids.get(&[byte][..]).ok_or_else(|| {
            Error::tokenizer(FILE, format!("it has no token for the single byte {byte:#04x}"))
        })?;
    }
    // Two tokens merge when their bytes together are a token, whatever the place of the cut, and
    // its rank says when. So every cut of every token into two tokens is an entry of the table.
    let mut merges = FxHashMap::default();
    for (token, &id) in &ids {
        for cut in 1..token.len() {
            if let (Some(&left), Some(&right)) = (ids.get(&token[..cut]), ids.get(&token[cut..])) {
                merges.insert((left, right), Merge { rank: id, id });
            }
        }
    }
    let first = vocabulary.len() as u32;
    let named = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"].into_iter().map(str::to_owned);
    let extra = (0..EXTRA_TOKENS).map(|n| format!("<|extra_{n}|>"));
    let added = named.chain(extra).zip(first..).map(|(text, id)| AddedToken { id, text, special: true });
    let bpe = Bpe::new(byte_ids, merges);
    let config = TokenizerConfig::default();
    Inner::new(FILE, vocabulary, bpe, Splitter::Letters, AddedTokens::new(added), config)
}

/// Decodes standard base64 with or without padding.
fn base64(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=');
    let mut out = Vec::with_capacity(digits.len() * 3 / 4);
    let (mut bits, mut held) = (0u32, 0);
    for digit in digits.bytes() {
        let value = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            out.push((bits >> held) as u8);
        }
    }
    (held < 6 && !out.is_empty()).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::base64;

    #[test]
    fn base64_reads_what_tiktoken_writes() {
        assert_eq!(base64("IQ=="), Some(b"!".to_vec()));
        assert_eq!(base64("4oC+/w=="), Some(vec![0xe2, 0x80, 0xbe, 0xff]));
        assert_eq!(base64("I"), None);
        assert_eq!(base64(""), None);
        assert_eq!(base64("I Q"), None);
    }
}
