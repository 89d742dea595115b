//! Vocabularies spelled in the GPT-2 alphabet: `vocab.json` + `merges.txt`, the model part of
//! `tokenizer.json`, and GGUF.

use std::borrow::Cow;

use rustc_hash::FxHashMap;

use super::alphabet;
use super::bpe::{Bpe, Merge};
use super::vocabulary::Vocabulary;
use crate::Error;

/// Builds the vocabulary and the merge table. `merges` come in order of rank.
pub(super) fn build<'t>(
    file: &'static str,
    tokens: impl Iterator<Item = (&'t str, u32)> + Clone,
    merges: impl Iterator<Item = (Cow<'t, str>, Cow<'t, str>)>,
) -> Result<(Vocabulary, Bpe), Error> {
    let ids: FxHashMap<&str, u32> = tokens.clone().collect();
    let mut vocabulary = Vocabulary::default();
    for (token, id) in tokens {
        check_id(file, id)?;
        vocabulary.insert(id, &alphabet::bytes_of(token));
    }
    let mut byte_ids = Box::new([0; 256]);
    for byte in 0..=255u8 {
        let mut buffer = [0; 4];
        let spelled = alphabet::char_of(byte).encode_utf8(&mut buffer);
        byte_ids[usize::from(byte)] = *ids.get(&*spelled).ok_or_else(|| {
            Error::tokenizer(
                file,
                format!("the vocabulary has no token for the single byte {byte:#04x} (spelled {spelled:?}), so it is not a byte-level vocabulary"),
            )
        })?;
    }
    let mut table = FxHashMap::default();
    let mut joined = String::new();
    for (rank, (left, right)) in merges.enumerate() {
        joined.clear();
        joined.push_str(&left);
        joined.push_str(&right);
        let id = |token: &str| {
            ids.get(token).copied().ok_or_else(|| {
                Error::tokenizer(
                    file,
                    format!(
                        "merge {} ({left:?} + {right:?}) needs {token:?}, which the vocabulary lacks",
                        rank + 1
                    ),
                )
            })
        };
        let merge = Merge { rank: rank as u32, id: id(&joined)? };
        table.entry((id(&left)?, id(&right)?)).or_insert(merge);
    }
    Ok((vocabulary, Bpe::new(byte_ids, table)))
}

/// Splits a merge written as one string.
pub(super) fn merge_of_line<'t>(
    file: &'static str,
    line: &'t str,
) -> Result<(Cow<'t, str>, Cow<'t, str>), Error> {
    match line.split_once(' ') {
        Some((left, right)) if !left.is_empty() && !right.is_empty() && !right.contains(' ') => {
            Ok((Cow::Borrowed(left), Cow::Borrowed(right)))
        }
        _ => Err(Error::tokenizer(file, format!("the merge {line:?} is not two tokens"))),
    }
}

/// Refuses ids that would make the tables absurdly large.
pub(super) fn check_id(file: &'static str, id: u32) -> Result<(), Error> {
    const LIMIT: u32 = 1 << 24;
    if id < LIMIT {
        return Ok(());
    }
    Err(Error::tokenizer(file, format!("token id {id} is beyond any vocabulary")))
}
