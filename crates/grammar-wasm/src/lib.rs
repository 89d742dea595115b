//! The grammar engine as a module of its own, which `npm/` loads when a reply must have a form: wasm-bindgen glue over
//! `qwill-grammar`, nothing else.
//!
//! `npm/src/grammar-module.ts` describes the same surface from the other side.
#![cfg(target_arch = "wasm32")]

use js_sys::{Function, Uint8Array, Uint32Array};
use qwill_grammar::{Grammar, Vocabulary};
use wasm_bindgen::prelude::*;

/// A panic becomes a JavaScript error that says what it was. The module must not be used after it.
#[wasm_bindgen(start)]
fn start() {
    std::panic::set_hook(Box::new(|info| wasm_bindgen::throw_str(&info.to_string())));
}

/// Grammars over a model's tokens.
#[wasm_bindgen]
pub struct Grammars(qwill_grammar::Grammars);

#[wasm_bindgen]
impl Grammars {
    /// Prepares a vocabulary: the bytes of its tokens one after the other, how many each has, those that end a text, and what
    /// makes tokens of bytes.
    #[wasm_bindgen(constructor)]
    pub fn new(bytes: &[u8], lengths: &[u32], ends: Vec<u32>, encode: Function) -> Result<Grammars, JsError> {
        let mut rest = bytes;
        let tokens = lengths.iter().map(|&length| {
            let (token, others) = rest.split_at(rest.len().min(length as usize));
            rest = others;
            token.to_vec()
        });
        let tokens = tokens.collect();
        let encode = move |bytes: &[u8]| {
            let ids = encode.call1(&JsValue::NULL, &Uint8Array::from(bytes));
            // whoever cannot encode says so on the other side
            ids.map_or_else(|_| Vec::new(), |ids| Uint32Array::from(ids).to_vec())
        };
        Ok(Self(qwill_grammar::Grammars::new(Vocabulary { tokens, ends, encode: Box::new(encode) })?))
    }

    /// The beginning of a text that a grammar describes, which is JSON text of a `Grammar`.
    pub fn compile(&self, grammar: &str) -> Result<Matcher, JsError> {
        let grammar: Grammar = serde_json::from_str(grammar)?;
        Ok(Matcher(self.0.compile(&grammar)?))
    }
}

/// Where a text is in a grammar.
#[wasm_bindgen]
pub struct Matcher(qwill_grammar::Matcher);

#[wasm_bindgen]
impl Matcher {
    /// The tokens that may follow: a bit each, the lowest first, in so many words.
    pub fn allow(&mut self, n_words: usize) -> Result<Vec<u32>, JsError> {
        let mut bits = vec![0; n_words];
        self.0.allow(&mut bits)?;
        Ok(bits)
    }

    /// Takes a token that follows.
    pub fn take(&mut self, token: u32) -> Result<(), JsError> {
        Ok(self.0.take(token)?)
    }

    /// Takes the tokens that follow because nothing else may.
    pub fn force(&mut self) -> Result<Vec<u32>, JsError> {
        Ok(self.0.force()?)
    }

    /// Whether nothing but an end may follow.
    #[wasm_bindgen(js_name = isOver)]
    pub fn is_over(&self) -> bool {
        self.0.is_over()
    }

    /// Another one for a text that begins alike.
    #[must_use]
    pub fn fork(&self) -> Self {
        Self(self.0.clone())
    }
}
