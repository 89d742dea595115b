//! How likely tokens were, in OpenAI's shapes.

use std::collections::BTreeMap;

use qwill_models::step::Logprobs;
use qwill_text::Tokenizer;
use serde::Serialize;

/// A token, and how likely it was to come next.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TokenLogprob {
    /// Its text. Tokens may be parts of characters: what is no text by itself is replaced.
    pub token: String,
    /// Natural logarithm of its probability; absent for the first token of a prompt, which nothing comes before.
    pub logprob: Option<f32>,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Its id.
    pub id: u32,
    /// The most likely tokens in its place, in falling order, as many as were asked for.
    pub top_logprobs: Vec<TopLogprob>,
}

/// A token that could have come.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TopLogprob {
    /// Its text, as in [`TokenLogprob::token`].
    pub token: String,
    /// Natural logarithm of its probability.
    pub logprob: f32,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Its id.
    pub id: u32,
}

/// How likely the tokens of a reply were, in the shape of chat completions.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct ReplyLogprobs {
    /// All tokens that were drawn, thoughts included, but for one that ends the text; before them those of an echoed prompt.
    pub content: Vec<TokenLogprob>,
}

/// The same in the shape of completions.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct CompletionLogprobs {
    /// Texts of the tokens; those that are no text by themselves as `bytes:\xe4\xbd`.
    pub tokens: Vec<String>,
    /// Natural logarithms of their probabilities; absent where nothing comes before.
    pub token_logprobs: Vec<Option<f32>>,
    /// Those of the most likely tokens in their places and of the token itself, by their texts.
    pub top_logprobs: Vec<Option<BTreeMap<String, f32>>>,
    /// Where each token begins, in characters of the tokens before it.
    pub text_offset: Vec<usize>,
}

impl TokenLogprob {
    /// Of a token with what the device reports; nothing is reported where nothing comes before.
    pub(super) fn new(tokenizer: &Tokenizer, id: u32, reported: Option<Logprobs>) -> Self {
        let (token, bytes) = text_of(tokenizer, id);
        let logprob = reported.as_ref().map(|reported| reported.logprob);
        let top = reported.map_or(Vec::new(), |reported| reported.top);
        let top_logprobs = top.into_iter().map(|(id, logprob)| {
            let (token, bytes) = text_of(tokenizer, id);
            TopLogprob { token, logprob, bytes, id }
        });
        Self { token, logprob, bytes, id, top_logprobs: top_logprobs.collect() }
    }
}

/// Text and bytes of a token; empty for rows of the output matrix that stand for none.
fn text_of(tokenizer: &Tokenizer, id: u32) -> (String, Vec<u8>) {
    let bytes = tokenizer.token_bytes(id).unwrap_or_default();
    (String::from_utf8_lossy(&bytes).into_owned(), bytes)
}

impl ReplyLogprobs {
    /// In the shape of completions.
    pub fn completion(&self) -> CompletionLogprobs {
        CompletionLogprobs::following(&mut 0, &self.content)
    }
}

impl CompletionLogprobs {
    /// Of tokens that follow others with `offset` characters, to which those of these are added: what a stream tells, piece
    /// by piece.
    pub fn following(offset: &mut usize, tokens: &[TokenLogprob]) -> Self {
        let mut all = Self::default();
        for token in tokens {
            let name = name_of(&token.bytes);
            let top = token.logprob.map(|logprob| {
                let top = token.top_logprobs.iter().map(|top| (name_of(&top.bytes), top.logprob));
                top.chain([(name.clone(), logprob)]).collect()
            });
            all.tokens.push(name);
            all.token_logprobs.push(token.logprob);
            all.top_logprobs.push(top);
            all.text_offset.push(*offset);
            // the first byte of each character
            *offset += token.bytes.iter().filter(|&byte| byte & 0xc0 != 0x80).count();
        }
        all
    }
}

/// What stands for a token where only text can.
fn name_of(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().fold("bytes:".to_owned(), |name, byte| format!("{name}\\x{byte:02x}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn completions_name_parts_of_characters_and_count_characters() {
        let token = |bytes: &[u8], logprob: Option<f32>| TokenLogprob {
            token: String::from_utf8_lossy(bytes).into_owned(),
            logprob,
            bytes: bytes.to_vec(),
            id: 1,
            top_logprobs: logprob
                .map(|_| TopLogprob { token: "x".into(), logprob: -0.5, bytes: b"x".to_vec(), id: 2 })
                .into_iter()
                .collect(),
        };
        let content = vec![
            token("é".as_bytes(), None),
            token(b"\xe4\xbd", Some(-1.0)),
            token(b"\xa0!", Some(-2.0)),
            token(b"x", Some(-0.5)),
        ];
        let (mut offset, mut pieces) = (0, Vec::new());
        for piece in content.chunks(3) {
            pieces.extend(CompletionLogprobs::following(&mut offset, piece).text_offset);
        }
        let completion = ReplyLogprobs { content }.completion();
        assert_eq!(pieces, completion.text_offset);
        assert_eq!(completion.tokens, ["é", "bytes:\\xe4\\xbd", "bytes:\\xa0\\x21", "x"]);
        assert_eq!(completion.text_offset, [0, 1, 2, 3]);
        assert_eq!(completion.token_logprobs, [None, Some(-1.0), Some(-2.0), Some(-0.5)]);
        let top = |at: usize| completion.top_logprobs[at].as_ref().map(BTreeMap::len);
        assert_eq!([top(0), top(1), top(2), top(3)], [None, Some(2), Some(2), Some(1)]);
    }
}
