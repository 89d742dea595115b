//! `qwen.tiktoken` of Qwen1: base64 of each token and its rank, which is also its id.

use std::collections::HashMap;

use super::added::Added;
use super::alphabet;
use super::parts::{self, Parts};
use crate::Error;

const FILE: &str = "qwen.tiktoken";
const NAMED_TOKENS: [&str; 3] = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"];
/// Qwen1 reserves `<|extra_0|>` up to here; its multimodal models give some of them new names.
const EXTRA_TOKENS: u32 = 205;

/// Reads the file.
pub(super) fn from_tiktoken(file: &[u8], n_rows: Option<usize>) -> Result<Parts, Error> {
    let text = std::str::from_utf8(file).map_err(|_| Error::tokenizer(FILE, "it is not text"))?;
    let mut ranks: HashMap<Vec<u8>, u32> = HashMap::new();
    for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let parsed = line
            .split_once(' ')
            .and_then(|(token, rank)| Some((base64(token)?, rank.trim().parse::<u32>().ok()?)));
        let Some((token, rank)) = parsed else {
            return Err(Error::tokenizer(FILE, format!("line {} is not base64, a space and a rank", at + 1)));
        };
        ranks.entry(token).or_insert(rank);
    }
    let mut merges: Vec<_> =
        ranks.iter().filter_map(|(token, &rank)| Some((rank, merge_into(token, rank, &ranks)?))).collect();
    merges.sort_unstable_by_key(|&(rank, _)| rank);
    let merges = merges
        .into_iter()
        .map(|(_, (left, right))| (alphabet::spell(left), alphabet::spell(right)))
        .collect();
    let vocab = ranks.iter().map(|(token, &rank)| (alphabet::spell(token), rank)).collect();
    let mut parts = Parts::new(FILE, vocab, merges, parts::LETTERS);
    let fits = |id: &u32| n_rows.is_none_or(|n_rows| (*id as usize) < n_rows);
    let end = parts.end()?;
    let named = NAMED_TOKENS.into_iter().zip(end..).map(|(text, id)| Added::new(id, text, true));
    let extra = (end + NAMED_TOKENS.len() as u32..).take_while(fits).zip(0..EXTRA_TOKENS);
    let extra = extra.map(|(id, n)| Added::new(id, format!("<|extra_{n}|>"), true));
    parts.added = named.chain(extra).collect();
    Ok(parts)
}

/// The two tokens whose merge makes `token`: what its bytes become under all earlier merges. Single
/// bytes come from no merge.
fn merge_into<'t>(token: &'t [u8], rank: u32, ranks: &HashMap<Vec<u8>, u32>) -> Option<(&'t [u8], &'t [u8])> {
    // Where the parts begin, and the end of the last one.
    let mut cuts: Vec<usize> = (0..=token.len()).collect();
    while cuts.len() > 3 {
        let pair_rank = |at: usize| ranks.get(&token[cuts[at - 1]..cuts[at + 1]]).copied();
        let (_, at) = (1..cuts.len() - 1)
            .filter_map(|at| Some((pair_rank(at)?, at)))
            .min()
            .filter(|&(earlier, _)| earlier < rank)?;
        cuts.remove(at);
    }
    (cuts.len() == 3).then(|| token.split_at(cuts[1]))
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
